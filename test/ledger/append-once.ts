/** Why: a process that appends one commit, for the test that kills it between two messages. Arguments: connection file, name, facts. */
import { readFile } from 'node:fs/promises';
import { NatsLedger } from '@fleetloop/control-plane';
import { connect, credsAuthenticator } from '@nats-io/transport-node';
import { commitOf } from './commit-facts.ts';

const [, , connectionFile = '', name = '', facts = ''] = process.argv;
const { url, creds } = JSON.parse(await readFile(connectionFile, 'utf8')) as { url: string; creds: string };
const connection = await connect({ servers: url, authenticator: credsAuthenticator(new TextEncoder().encode(creds)) });
const ledger = await NatsLedger.open(connection, { now: () => new Date() });
await ledger.append(...commitOf(name, Number(facts)));
await connection.close();
