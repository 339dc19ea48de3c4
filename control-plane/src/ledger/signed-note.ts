/**
 * Why: a checkpoint is worth something only if tools that are not ours can check it. This is the signed note of C2SP
 * (c2sp.org/signed-note) with Ed25519 signatures, as Go's golang.org/x/mod/sumdb/note reads and writes it.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { FleetError } from '@fleetloop/schemas/ledger';

const ED25519_NOTE_TYPE = 0x01;
const KEY_ID_BYTES = 4;
const SIGNATURE_BYTES = 64;
/** One byte of type, then the key. */
const TYPED_KEY_BYTES = 33;
/** SPKI DER of an Ed25519 key: a fixed prefix of 12 bytes, then the 32 bytes of the key (RFC 8410 §4). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const NEWLINE = 0x0a;
const NOTE_LENGTH_MAX = 64 * 1024;
const SIGNATURE_LINES_MAX = 16;
const SIGNATURE_LINE_START = '— ';

export type NoteSigner = { readonly name: string; readonly privateKeyPem: string };
export type NoteVerifier = { readonly name: string; readonly publicKeyPem: string };

/** Key id: the first four bytes of SHA-256(name ‖ "\n" ‖ 0x01 ‖ public key). */
export function noteKeyId(name: string, publicKey: KeyObject): Buffer {
  const hash = createHash('sha256')
    .update(`${name}\n`)
    .update(Uint8Array.of(ED25519_NOTE_TYPE))
    .update(rawPublicKey(publicKey));
  return hash.digest().subarray(0, KEY_ID_BYTES);
}

/** The verifier key in the text form of Go's `note.NewVerifier`: `<name>+<key id, hex>+<base64 of type and key>`. */
export function verifierKeyText(verifier: NoteVerifier): string {
  const key = createPublicKey(verifier.publicKeyPem);
  const typed = Buffer.concat([Uint8Array.of(ED25519_NOTE_TYPE), rawPublicKey(key)]);
  return `${verifier.name}+${noteKeyId(verifier.name, key).toString('hex')}+${typed.toString('base64')}`;
}

/**
 * The verifier that a key text names.
 * @throws FleetError REQUEST_INVALID when it is not an Ed25519 verifier key or its id does not belong to it
 */
export function parseVerifierKey(text: string): NoteVerifier {
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim());
  const typed = decodeBase64(match?.[3] ?? '');
  if (match === null || typed === undefined || typed.length !== TYPED_KEY_BYTES || typed[0] !== ED25519_NOTE_TYPE) {
    throw new FleetError('REQUEST_INVALID', 'the verifier key does not read <name>+<id>+<base64 of an Ed25519 key>');
  }
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, typed.subarray(1)]), format: 'der', type: 'spki' });
  const name = match[1] ?? '';
  if (noteKeyId(name, key).toString('hex') !== match[2]) {
    throw new FleetError('REQUEST_INVALID', 'the id in the verifier key does not belong to its name and key');
  }
  return { name, publicKeyPem: key.export({ type: 'spki', format: 'pem' }).toString() };
}

/** Signs a text that ends with a newline, with one key or several; returns the whole note. */
export function signNote(text: string, ...signers: readonly NoteSigner[]): string {
  assertNoteText(text);
  return `${text}\n${signers.map((signer) => signatureLine(text, signer)).join('')}`;
}

function signatureLine(text: string, signer: NoteSigner): string {
  if (!isKeyName(signer.name))
    throw new FleetError('CONFIG_INVALID', `${JSON.stringify(signer.name)} is not a key name: no spaces, no +`);
  const privateKey = createPrivateKey(signer.privateKeyPem);
  const signature = sign(null, Buffer.from(text, 'utf8'), privateKey);
  const blob = Buffer.concat([noteKeyId(signer.name, createPublicKey(privateKey)), signature]);
  return `${SIGNATURE_LINE_START}${signer.name} ${blob.toString('base64')}\n`;
}

/**
 * The text of a note that carries a valid signature of `verifier`; signatures by other keys are ignored, as the
 * standard asks.
 * @throws FleetError LEDGER_TAMPERED when the note is malformed or that signature is missing or wrong
 */
export function openNote(note: string, verifier: NoteVerifier): string {
  const { text, signatures } = splitNote(note);
  const key = createPublicKey(verifier.publicKeyPem);
  const id = noteKeyId(verifier.name, key);
  const ours = signatures.filter(
    (line) => line.name === verifier.name && line.blob.subarray(0, KEY_ID_BYTES).equals(id),
  );
  if (ours.length === 0) throw tampered(`the note is not signed by ${verifier.name} with the key that you trust`);
  const message = Buffer.from(text, 'utf8');
  const isValid = (blob: Buffer): boolean =>
    blob.length === KEY_ID_BYTES + SIGNATURE_BYTES && verify(null, message, key, blob.subarray(KEY_ID_BYTES));
  if (!ours.every((line) => isValid(line.blob)))
    throw tampered(`the signature of ${verifier.name} does not verify: the note was altered`);
  return text;
}

type SignatureLine = { readonly name: string; readonly blob: Buffer };

function splitNote(note: string): { readonly text: string; readonly signatures: readonly SignatureLine[] } {
  // The last empty line divides text and signatures, so that the text may hold empty lines itself.
  const split = note.lastIndexOf('\n\n');
  if (note.length > NOTE_LENGTH_MAX || split < 0 || !note.endsWith('\n')) throw tampered('the note is malformed');
  const text = note.slice(0, split + 1);
  const lines = note.slice(split + 2, -1).split('\n');
  if (lines.length > SIGNATURE_LINES_MAX) throw tampered(`the note has over ${SIGNATURE_LINES_MAX} signatures`);
  return { text, signatures: lines.map(parseSignatureLine) };
}

function parseSignatureLine(line: string): SignatureLine {
  const match = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u.exec(line);
  const blob = decodeBase64(match?.[2] ?? '');
  if (match === null || blob === undefined) throw tampered('the note has a malformed signature line');
  return { name: match[1] ?? '', blob };
}

function assertNoteText(text: string): void {
  const isControl = (byte: number): boolean => byte < 0x20 && byte !== NEWLINE;
  if (!text.endsWith('\n') || !text.isWellFormed() || Buffer.from(text, 'utf8').some(isControl)) {
    throw new FleetError(
      'REQUEST_INVALID',
      'the text of a note ends with a newline and holds no other control character',
    );
  }
}

/** Strict, as Go's decoder is: Node's skips what it does not know. */
function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function isKeyName(name: string): boolean {
  return /^[^\s+]+$/u.test(name) && name.isWellFormed();
}

function rawPublicKey(key: KeyObject): Buffer {
  const der = key.export({ type: 'spki', format: 'der' });
  if (key.asymmetricKeyType !== 'ed25519')
    throw new FleetError('CONFIG_INVALID', 'the ledger key is not an Ed25519 key');
  return der.subarray(SPKI_PREFIX.length);
}

function tampered(message: string): FleetError {
  return new FleetError('LEDGER_TAMPERED', message);
}
