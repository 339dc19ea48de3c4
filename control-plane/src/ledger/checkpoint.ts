/** Why: a checkpoint (c2sp.org/tlog-checkpoint) states the size and root of the ledger; signed, it holds us to a history. */
import { FleetError } from '@fleetloop/schemas/ledger';
import { type NoteSigner, type NoteVerifier, openNote, signNote } from './signed-note.ts';
import { TREE_HASH_BYTES, type TreeHash } from './merkle-tree.ts';

/** Name of the ledger in its checkpoints and of the key that signs them. */
export const LEDGER_ORIGIN = 'fleetloop/ledger';

export type Checkpoint = { readonly origin: string; readonly size: number; readonly root: TreeHash };

/** Signs `<origin>\n<size>\n<base64 root>\n`. The origin is the name of the signer's key. */
export function signCheckpoint(state: Omit<Checkpoint, 'origin'>, signer: NoteSigner): string {
  return signNote(`${signer.name}\n${state.size}\n${Buffer.from(state.root).toString('base64')}\n`, signer);
}

/**
 * Checks the signature and reads the checkpoint; extension lines are allowed and ignored.
 * @throws FleetError LEDGER_TAMPERED
 */
export function openCheckpoint(note: string, verifier: NoteVerifier): Checkpoint {
  return parseText(openNote(note, verifier), verifier.name);
}

/** What a checkpoint states, before anybody has looked at its signature. @throws FleetError LEDGER_TAMPERED */
export function readUnverified(note: string): Checkpoint {
  return parseText(note.slice(0, note.lastIndexOf('\n\n') + 1), note.slice(0, note.indexOf('\n')));
}

function parseText(text: string, name: string): Checkpoint {
  const [origin, size, root] = text.split('\n');
  const hash = Buffer.from(root ?? '', 'base64');
  const isValid = origin === name && /^(?:0|[1-9]\d{0,15})$/.test(size ?? '') && Number.isSafeInteger(Number(size));
  if (!isValid || hash.length !== TREE_HASH_BYTES || hash.toString('base64') !== root) {
    throw new FleetError('LEDGER_TAMPERED', `the checkpoint does not state the size and root of ${name}`);
  }
  return { origin: name, size: Number(size), root: hash };
}
