/**
 * Why: a process that only follows the ledger into a projection, for the tests that kill it or take its disk away.
 * Arguments: connection file, folder, and `rebuild` to rebuild without end, telling of every change in the folder.
 */
import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { DuckdbProjection, NatsLedger } from '@fleetloop/control-plane';
import { connect, credsAuthenticator } from '@nats-io/transport-node';

/** Small, so that what is caught up with is several transactions and a kill can fall between them. */
const REPLAY_BATCH_ENTRIES = 500;
const [, , connectionFile = '', folder = '', mode] = process.argv;
const { url, creds } = JSON.parse(await readFile(connectionFile, 'utf8')) as { url: string; creds: string };
const connection = await connect({ servers: url, authenticator: credsAuthenticator(new TextEncoder().encode(creds)) });
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const projection = await DuckdbProjection.open({
  folder,
  ledger: await NatsLedger.open(connection, { now: () => new Date() }),
  replayBatchEntries: REPLAY_BATCH_ENTRIES,
  onFailure: ({ code }) => {
    say(`failed ${code}`);
    process.exit(1);
  },
});
say(`from ${projection.appliedSequence()}`);
await projection.waitFor(1);
say('applying');
if (mode === 'rebuild') {
  watch(folder, () => say('changed'));
  for (;;) {
    say('rebuilding');
    await projection.rebuild();
  }
}
