import { FleetError, type NewFact } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlobStore, Ledger, StoredEntry } from '../ports.ts';
import type { CheckReport } from '../quality/finding.ts';
import { AcceptedRecordings } from './accepted-recordings.ts';
import { subjectOf } from './facts.ts';
import { type ArrivedRecording, RecordingFiler } from './recording-filer.ts';
import type { RecordingSummary } from './recording-check.ts';

const RECORDING = digestOfBytes(Uint8Array.of(1));
const STANDARD = { name: 'test', version: 1, digest: digestOfBytes(Uint8Array.of(2)) };

/** Fails before or after its n-th step, as a full disk, a lost answer or a killed process would. */
class Faults {
  #left: number;
  readonly isAfter: boolean;

  constructor(step: number, isAfter: boolean) {
    this.#left = step;
    this.isAfter = isAfter;
  }

  async around<Result>(work: () => Result): Promise<Result> {
    this.#left -= 1;
    const fails = this.#left === 0;
    const failure = new FleetError('RECORD_WRITE', 'no space is left on the disk');
    if (fails && !this.isAfter) throw failure;
    const result = work();
    if (fails) throw failure;
    return result;
  }
}

class World {
  readonly facts: NewFact[] = [];
  readonly blobs = new Set<string>();

  ledger(faults: Faults): Ledger {
    const last = (subject: string): number => this.facts.findLastIndex((fact) => subjectOf(fact) === subject) + 1;
    const append: Ledger['append'] = async (facts, { expect: expected = {} } = {}) =>
      faults.around(() => {
        for (const [subject, sequence] of Object.entries(expected))
          if (last(subject) !== sequence) throw new FleetError('LEDGER_CONFLICT', `${subject} was written to`);
        const from = this.facts.length;
        this.facts.push(...facts);
        return { sequences: facts.map((_, index) => from + index + 1) };
      });
    const stored = (sequence: number): StoredEntry => {
      const { key, evidence = [], ...fact } = this.facts[sequence - 1] as NewFact;
      const entry = { v: 1, at: '2026-01-01T00:00:00.000Z', subject: `x.${key}`, evidence, ...fact } as const;
      return { sequence, bytes: new Uint8Array(0), entry: entry as StoredEntry['entry'] };
    };
    const read = async function* ({ fromSequence }: { readonly fromSequence: number }): AsyncGenerator<StoredEntry> {
      yield stored(fromSequence);
    };
    return {
      append,
      lastSequenceOf: async (subject) => last(subject),
      size: async () => this.facts.length,
      read,
      follow: read,
    };
  }

  store(faults: Faults): BlobStore {
    const unused = async (): Promise<never> => {
      throw new Error('not used here');
    };
    return {
      put: async (bytes) =>
        faults.around(() => {
          const digest = digestOfBytes(bytes);
          this.blobs.add(digest);
          return digest;
        }),
      adopt: async (_path, digest) => faults.around(() => void this.blobs.add(digest)),
      has: async (digest) => this.blobs.has(digest),
      get: unused,
      open: unused,
      sizeOf: unused,
      pathOf: unused,
    };
  }
}

function summary(report: Partial<CheckReport> = {}): RecordingSummary {
  return {
    metadata: {
      vehicle: { id: 'v1', hardwareRevision: 'A' },
      software: { name: 's', version: '1' },
      session: { name: 'drive', attributes: {} },
      clock: { source: 'test', uncertaintyNs: '0' },
      gaps: [],
      loss: {},
    },
    messages: 1,
    startNs: 1n,
    endNs: 2n,
    topics: { '/a': 1 },
    timeOfDay: undefined,
    report: { standard: STANDARD, verdict: 'accepted', findings: [], suppressed: 0, ...report },
  };
}

function arrived(overrides: Partial<ArrivedRecording> = {}): ArrivedRecording {
  const manifest = Uint8Array.of(9);
  return {
    path: '/x',
    digest: RECORDING,
    sizeBytes: 10,
    summary: summary(),
    source: 'uplink',
    actor: 'ingest',
    manifest,
    ...overrides,
  };
}

const filerOf = (world: World, faults: Faults): RecordingFiler =>
  new RecordingFiler({ ledger: world.ledger(faults), blobs: world.store(faults), accepted: new AcceptedRecordings() });
const kindsOf = ({ facts }: World): string[] => facts.map(({ kind }) => kind);

describe('RecordingFiler', () => {
  it('files once whatever fails, and the ledger never names a blob that is not there', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ step: fc.integer({ min: 1, max: 6 }), isAfter: fc.boolean() }), { maxLength: 5 }),
        async (attempts) => {
          const world = new World();
          const label = { label: 'ICE', method: 'test' };
          for (const { step, isAfter } of attempts) {
            // A new filer each time, as after a restart: nothing is remembered but what was stored.
            await filerOf(world, new Faults(step, isAfter))
              .file(arrived({ label }))
              .catch((error: unknown) => expect(FleetError.from(error).retryable).toBe(true));
            for (const { evidence = [] } of world.facts)
              for (const digest of evidence) expect(world.blobs.has(digest)).toBe(true);
          }
          expect([0, 3]).toContain(world.facts.length);
          if (world.facts.length === 0) await filerOf(world, new Faults(0, false)).file(arrived({ label }));
          expect(kindsOf(world)).toEqual(['recording.accepted', 'recording.checked', 'label.assigned']);
        },
      ),
    );
  });

  it('stores nothing of a recording that the standard quarantines, and says why', async () => {
    const world = new World();
    const finding = {
      rule: 'clock.range',
      version: 1,
      severity: 'error',
      topic: '/a',
      fromNs: null,
      toNs: null,
      message: 'the stamps are of the year 1970',
      action: 'set the clock',
      evidence: {},
    } as const;
    const quarantined = arrived({ summary: summary({ verdict: 'quarantined', findings: [finding] }) });
    await expect(filerOf(world, new Faults(0, false)).file(quarantined)).rejects.toMatchObject({
      code: 'INGEST_STANDARD',
      message: expect.stringContaining('clock.range on /a: the stamps are of the year 1970'),
    });
    expect([world.facts, world.blobs.size]).toEqual([[], 0]);
  });

  it('accepts a recording with findings, and the ledger has them', async () => {
    const world = new World();
    await filerOf(world, new Faults(0, false)).file(
      arrived({ summary: summary({ verdict: 'accepted_with_findings' }) }),
    );
    expect(world.facts[1]).toMatchObject({ kind: 'recording.checked', body: { verdict: 'accepted_with_findings' } });
  });
});
