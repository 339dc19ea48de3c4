import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, type JsonValue } from '../digest/canonical-json.ts';
import { exactKind } from './exact-entry.ts';
import { parseLedgerEntry } from './ledger-entry.ts';

const digest = `sha256:${'0a'.repeat(32)}`;
const LABEL = {
  v: 1,
  kind: 'label.assigned',
  at: '2026-11-20T10:00:00.000Z',
  actor: 'anna',
  subject: 'recording.1',
  evidence: [digest],
  body: { recording: digest, label: 'ICE', annotator: 'anna', method: 'seen in the front camera' },
};

function bytesOf(entry: object): Buffer {
  return Buffer.from(canonicalJson(entry as JsonValue));
}

/** The slow answer. */
function isTaken(text: string): boolean {
  try {
    const document: unknown = JSON.parse(text);
    parseLedgerEntry(document);
    return canonicalJson(document as JsonValue) === text;
  } catch {
    return false;
  }
}

describe('the kind of an exact entry', () => {
  it('is told whatever its texts hold', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(text, text, text, (actor, reason, method) => {
        const body = { ...LABEL.body, method: `${method},"kind":"run.failed",` };
        expect(exactKind(bytesOf({ ...LABEL, actor, reason: `${reason},"kind":"run.failed"`, body }))).toBe(LABEL.kind);
      }),
    );
  });

  it('is told of no text that reading and writing it anew refuses', () => {
    const whole = bytesOf({ ...LABEL, reason: 'café' }).toString();
    for (let at = 0; at < whole.length; at += 1)
      for (const put of ['', ' ', '"', ',', '0', 'a', '\\', '\u{1f600}']) {
        const text = whole.slice(0, at) + put + whole.slice(at + 1);
        expect([text, exactKind(Buffer.from(text)) !== undefined]).toEqual([text, isTaken(text)]);
      }
  });

  it.each<[string, object]>([
    ['of another version', { ...LABEL, v: 2 }],
    ['of no known kind', { ...LABEL, kind: 'label.lost' }],
    ['of a kind that each object has', { ...LABEL, kind: 'constructor' }],
    ['without a kind', { ...LABEL, kind: undefined }],
    ['whose evidence would be filled in', { ...LABEL, evidence: undefined }],
    ['with a member that is not known', { ...LABEL, also: 1 }],
    ['with the body of another kind', { ...LABEL, body: { vehicleId: 'a', publicKey: 'b', reason: '' } }],
  ])('is not told of an entry %s', (_, entry) => expect(exactKind(bytesOf(entry))).toBeUndefined());

  it('is not told of bytes that are no entry', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(exactKind(bytes)).toBeUndefined();
      }),
    );
  });
});
