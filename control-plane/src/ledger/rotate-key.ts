/** Why: replacing the key that signs checkpoints is one fact. The key lies on disk before the fact is written, so that a crash between the two leaves a key that nobody names. */
import { FleetError, type NewFact } from '@fleetloop/schemas';
import type { CheckpointKeys, Checkpoints, Ledger } from '../ports.ts';
import { ROTATION_KEY, ROTATION_SUBJECT, type Rotation, rotationBody } from './key-chain.ts';
import { verifierKeyText } from './signed-note.ts';

export type RotationParts = {
  readonly ledger: Ledger;
  readonly checkpoints: Checkpoints;
  readonly checkpointKeys: CheckpointKeys;
};
export type RotatedKey = {
  readonly sequence: number;
  readonly formerKey: string;
  readonly key: string;
  readonly checkpoint: string;
};

/**
 * Makes a key, announces it under the signature of the one in force, and signs the first checkpoint with it.
 * @throws FleetError LEDGER_CONFLICT when somebody else rotated first; CONFIG_INVALID when the key in force is not here
 */
export async function rotateKey(
  { ledger, checkpoints, checkpointKeys }: RotationParts,
  { actor, reason }: { readonly actor: string; readonly reason: string },
): Promise<RotatedKey> {
  const formerRotation = await ledger.lastSequenceOf(ROTATION_SUBJECT);
  // After this the checkpointer has seen that rotation, and the key it signs with is the one in force.
  await checkpoints.signNow();
  const formerKey = checkpoints.verifierKey;
  const former = await checkpointKeys.find(formerKey);
  if (former === undefined)
    throw new FleetError('CONFIG_INVALID', `the private key of ${formerKey} is not in the keys folder of this process`);
  const next = await checkpointKeys.make();
  const body = rotationBody(former, next, formerRotation);
  const fact: NewFact = { kind: 'checkpoint.key_rotated', key: ROTATION_KEY, actor, reason, body };
  const { sequences } = await ledger.append([fact], { expect: { [ROTATION_SUBJECT]: formerRotation } });
  const checkpoint = await checkpoints.signNow();
  return { sequence: sequences[0] ?? 0, formerKey, key: verifierKeyText(next), checkpoint };
}

/** All rotations of a ledger, oldest first: each names the one before it, so nothing else has to be read. */
export async function readRotations(ledger: Ledger): Promise<readonly Rotation[]> {
  const rotations: Rotation[] = [];
  for (let sequence = await ledger.lastSequenceOf(ROTATION_SUBJECT); sequence > 0; ) {
    const rotation = await rotationAt(ledger, sequence);
    rotations.unshift(rotation);
    if (rotation.body.formerRotation >= sequence)
      throw new FleetError('LEDGER_TAMPERED', `the rotation in entry ${sequence} names a later one as its former`);
    sequence = rotation.body.formerRotation;
  }
  return rotations;
}

async function rotationAt(ledger: Ledger, sequence: number): Promise<Rotation> {
  for await (const { entry } of ledger.read({ fromSequence: sequence, toSequence: sequence }))
    if (entry.kind === 'checkpoint.key_rotated') return { sequence, body: entry.body };
  throw new FleetError('LEDGER_TAMPERED', `entry ${sequence} of the ledger is not the rotation it is said to be`);
}
