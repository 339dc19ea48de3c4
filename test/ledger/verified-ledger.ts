/** Why: after every mishap the ledger is still one that an auditor accepts: all entries recomputed under a signed checkpoint. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Checkpointer,
  FolderCheckpoints,
  LEDGER_ORIGIN,
  type NatsLedger,
  parseVerifierKey,
  verifyLedger,
} from '@fleetloop/control-plane';
import { generateSigningKey } from '@fleetloop/schemas/crypto';
import { expect } from 'vitest';

/** Below `root` new checkpoints are made. */
export async function expectVerified(ledger: NatsLedger, root: string): Promise<void> {
  const { privateKeyPem, publicKeyPem } = generateSigningKey();
  await using store = await FolderCheckpoints.open(await mkdtemp(join(root, 'checkpoints-')));
  const signer = { name: LEDGER_ORIGIN, privateKeyPem, publicKeyPem };
  await using checkpoints = await Checkpointer.start({ ledger, store, signer });
  const note = await checkpoints.signNow();
  const verdict = await verifyLedger({
    entries: ledger.read({ fromSequence: 1 }),
    checkpoints: [note],
    verifier: parseVerifierKey(checkpoints.verifierKey),
    leaves: checkpoints.leaves(0, store.leafCount()),
  });
  expect(verdict).toMatchObject({ ok: true, entries: await ledger.size(), unsigned: 0 });
}
