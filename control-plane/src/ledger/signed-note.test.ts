import { FleetError } from '@fleetloop/schemas';
import { generateSigningKey } from '@fleetloop/schemas/crypto';
import { describe, expect, it } from 'vitest';
import { openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { hashLeaf } from './merkle-tree.ts';
import { openNote, parseVerifierKey, signNote, verifierKeyText } from './signed-note.ts';

/** Key and note of the example in the documentation of Go's sumdb/note. */
const GO_KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const GO_TEXT = `If you think cryptography is the answer to your problem,
then you don't know what your problem is.
`;
const GO_NOTE = `${GO_TEXT}
— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`;

const key = generateSigningKey();
const signer = { name: 'fleetloop/test', ...key };

const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'no refusal';
  } catch (error) {
    return FleetError.from(error).code;
  }
};

describe('a signed note', () => {
  it('of Go’s sumdb/note opens with its key', () => {
    expect(openNote(GO_NOTE, parseVerifierKey(GO_KEY))).toBe(GO_TEXT);
    expect(verifierKeyText(parseVerifierKey(GO_KEY))).toBe(GO_KEY);
  });

  it('opens with the key of its signer, also between signatures of others', () => {
    const note = signNote('hello\n\nworld\n', signer);
    expect(openNote(note, signer)).toBe('hello\n\nworld\n');
    const other = signNote('hello\n\nworld\n', { name: 'witness', ...generateSigningKey() });
    expect(openNote(note + (other.split('\n\n').at(-1) ?? ''), signer)).toBe('hello\n\nworld\n');
  });

  it.each<[string, (note: string) => string]>([
    ['its text was altered', (note) => note.replace('hello', 'hallo')],
    ['a line was added', (note) => `more\n${note}`],
    ['its signature was altered', (note) => note.replace(/.{8}==?\n$/, (tail) => `AAAAAAAA${tail.slice(8)}`)],
    ['its signature was cut', (note) => note.replace(/ [A-Za-z0-9+/=]+\n$/, (tail) => ` ${tail.slice(1, 41)}\n`)],
    ['it has no signature', () => 'hello\n'],
    ['the signature line is another name', (note) => note.replace('— fleetloop/test', '— fleetloop/tost')],
    ['its last newline is missing', (note) => note.slice(0, -1)],
    ['the signature line is malformed', (note) => note.replace('— ', '- ')],
    [
      'a second signature of the same key is wrong',
      (note) => `${note}${(note.split('\n\n').at(-1) ?? '').replace(/.{4}\n$/, 'AAA=\n')}`,
    ],
    ['it is empty', () => ''],
    ['it is larger than any note', (note) => 'x'.repeat(70_000) + note],
  ])('does not open when %s', (_, spoil) => {
    const note = signNote('hello\n', signer);
    expect(spoil(note)).not.toBe(note);
    expect(codeOf(() => openNote(spoil(note), signer))).toBe('LEDGER_TAMPERED');
  });

  it('does not open with another key of the same name', () => {
    expect(codeOf(() => openNote(signNote('hello\n', signer), { name: signer.name, ...generateSigningKey() }))).toBe(
      'LEDGER_TAMPERED',
    );
  });

  it.each([
    '',
    'name+00000000+AAAA',
    GO_KEY.replace('c74f20a3', 'c74f20a4'),
    GO_KEY.replace('PeterNeumann', 'Peter'),
    `${GO_KEY}x=`,
  ])('has no verifier key %j', (text) => {
    expect(codeOf(() => parseVerifierKey(text))).toBe('REQUEST_INVALID');
  });

  it('is not made of text that the standard forbids, or by a name that it forbids', () => {
    expect(codeOf(() => signNote('no newline', signer))).toBe('REQUEST_INVALID');
    expect(codeOf(() => signNote('a\u0000b\n', signer))).toBe('REQUEST_INVALID');
    expect(codeOf(() => signNote('a\n', { ...signer, name: 'two words' }))).toBe('CONFIG_INVALID');
  });
});

describe('a checkpoint', () => {
  const root = hashLeaf(Buffer.from('x'));

  it('has the form of C2SP tlog-checkpoint', () => {
    const [origin, size, hash, empty, signature] = signCheckpoint({ size: 7, root }, signer).split('\n');
    expect([origin, size, hash, empty]).toEqual(['fleetloop/test', '7', Buffer.from(root).toString('base64'), '']);
    expect(signature).toMatch(/^— fleetloop\/test [A-Za-z0-9+/]+={0,2}$/u);
  });

  it('gives back size and root, with extension lines too', () => {
    expect(openCheckpoint(signCheckpoint({ size: 7, root }, signer), signer)).toEqual({
      origin: signer.name,
      size: 7,
      root,
    });
    const extended = signNote(`${signer.name}\n7\n${Buffer.from(root).toString('base64')}\nextension\n`, signer);
    expect(openCheckpoint(extended, signer).size).toBe(7);
  });

  it.each([
    'other\n7\nROOT\n',
    'NAME\n07\nROOT\n',
    'NAME\n-1\nROOT\n',
    'NAME\n7\nAAAA\n',
    'NAME\n7\n',
    'NAME\n99999999999999999999\nROOT\n',
    'NAME\n1e3\nROOT\n',
  ])('is refused when it is signed but reads %j', (text) => {
    const note = signNote(
      text.replace('NAME', signer.name).replace('ROOT', Buffer.from(root).toString('base64')),
      signer,
    );
    expect(codeOf(() => openCheckpoint(note, signer))).toBe('LEDGER_TAMPERED');
  });
});
