/** Why: a process that only follows the ledger into a projection, for the test that kills it. Arguments: connection file, folder. */
import { readFile } from 'node:fs/promises';
import { DuckdbProjection, NatsLedger } from '@fleetloop/control-plane';
import { connect, credsAuthenticator } from '@nats-io/transport-node';

const [, , connectionFile = '', folder = ''] = process.argv;
const { url, creds } = JSON.parse(await readFile(connectionFile, 'utf8')) as { url: string; creds: string };
const connection = await connect({ servers: url, authenticator: credsAuthenticator(new TextEncoder().encode(creds)) });
const projection = await DuckdbProjection.open({
  folder,
  ledger: await NatsLedger.open(connection, { now: () => new Date() }),
});
process.stdout.write(`from ${projection.appliedSequence()}\n`);
await projection.waitFor(1);
process.stdout.write('applying\n');
if (process.argv[4] === 'rebuild') {
  process.stdout.write('rebuilding\n');
  await projection.rebuild();
}
