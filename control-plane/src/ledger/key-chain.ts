/**
 * Why: a key that signs checkpoints can be replaced without asking every auditor to trust a new one. The fact that
 * announces a key is a note signed by the former key and by the new one, so whoever trusts any key of the chain can
 * follow it to all others, and each checkpoint must be signed by the key that was in force at its size.
 */
import { FleetError, type FactBody } from '@fleetloop/schemas/ledger';
import { type Checkpoint, openCheckpoint, readUnverified } from './checkpoint.ts';
import {
  type NoteSigner,
  type NoteVerifier,
  openNote,
  parseVerifierKey,
  signNote,
  verifierKeyText,
} from './signed-note.ts';

/** The one subject of all rotations; its last sequence is what a rotation expects. */
export const ROTATION_KEY = 'key';
export const ROTATION_SUBJECT = `checkpoint.${ROTATION_KEY}`;
/** Most keys of one chain. */
export const KEYS_MAX = 1_000;

export type RotationBody = FactBody<'checkpoint.key_rotated'>;
/** A rotation and the entry it stands in. */
export type Rotation = { readonly sequence: number; readonly body: RotationBody };
/** A verifier key and the size from which on it signs. */
export type KeyInForce = { readonly fromSize: number; readonly key: string };
/** Oldest first; never empty. */
export type KeyChain = readonly KeyInForce[];

export function rotationBody(
  former: NoteSigner & NoteVerifier,
  next: NoteSigner & NoteVerifier,
  formerRotation: number,
): RotationBody {
  const keys = { formerKey: verifierKeyText(former), key: verifierKeyText(next) };
  return { ...keys, note: signNote(statement(keys), former, next), formerRotation };
}

/**
 * The keys of a ledger whose rotations are these, in order, for somebody who trusts one of them.
 * @throws FleetError LEDGER_TAMPERED, with the sequence in its details where an entry is to blame
 */
export function keyChain(trusted: string, rotations: readonly Rotation[]): KeyChain {
  const chain: KeyInForce[] = [{ fromSize: 0, key: rotations[0]?.body.formerKey ?? trusted }];
  if (rotations.length >= KEYS_MAX) throw broken(0, `the ledger names over ${KEYS_MAX} keys`);
  for (const [index, { sequence, body }] of rotations.entries()) {
    if (body.formerKey !== chain.at(-1)?.key)
      throw broken(sequence, `the rotation in entry ${sequence} is not from the key that was in force`);
    if (body.formerRotation !== (rotations[index - 1]?.sequence ?? 0))
      throw broken(sequence, `the rotation in entry ${sequence} does not follow on the one before it`);
    assertSignedByBoth(sequence, body);
    chain.push({ fromSize: sequence, key: body.key });
  }
  if (!chain.some(({ key }) => key === trusted))
    throw broken(0, `the key that you trust has never signed this ledger: ${trusted}`);
  return chain;
}

/** The key in force at a size of the ledger: a rotation is itself under the new key. */
export function keyAt(chain: KeyChain, size: number): string {
  const inForce = chain.findLast(({ fromSize }) => fromSize <= size) ?? chain[0];
  if (inForce === undefined) throw new FleetError('INTERNAL_UNEXPECTED', 'a chain of keys is empty');
  return inForce.key;
}

/** Checks a checkpoint with the key that was in force at its size. @throws FleetError LEDGER_TAMPERED */
export function openInChain(note: string, chain: KeyChain): Checkpoint {
  return openCheckpoint(note, parseVerifierKey(keyAt(chain, readUnverified(note).size)));
}

function assertSignedByBoth(sequence: number, body: RotationBody): void {
  try {
    for (const key of [body.formerKey, body.key])
      if (openNote(body.note, parseVerifierKey(key)) !== statement(body))
        throw new Error('the note states something else');
  } catch (cause) {
    throw new FleetError('LEDGER_TAMPERED', `the rotation in entry ${sequence} is not signed by both keys`, {
      cause,
      details: { sequence },
    });
  }
}

function statement({ formerKey, key }: { readonly formerKey: string; readonly key: string }): string {
  return `fleetloop/ledger key rotation\n${formerKey}\n${key}\n`;
}

function broken(sequence: number, message: string): FleetError {
  return new FleetError('LEDGER_TAMPERED', message, sequence === 0 ? {} : { details: { sequence } });
}
