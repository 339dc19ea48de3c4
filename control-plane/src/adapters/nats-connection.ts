/** The one connection to NATS of a process of ours: it comes back by itself for as long as the process lives. */
import { readFile } from 'node:fs/promises';
import { connect, jwtAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { FleetError } from '@fleetloop/schemas';
import type { ControlPlaneConfig } from '../config/control-plane-config.ts';

const RECONNECT_WAIT_MS = 250;
const CONNECT_TIMEOUT_MS = 5_000;
const FOR_EVER = -1;

/** @throws FleetError CONFIG_INVALID when the seed file cannot be read, LEDGER_UNAVAILABLE when the server does not answer */
export async function connectNats(
  config: Pick<ControlPlaneConfig['nats'], 'url' | 'jwt' | 'seedFile'>,
  name = 'control-plane',
): Promise<NatsConnection> {
  const seed = await readSeed(config.seedFile);
  try {
    return await connect({
      servers: config.url,
      name,
      authenticator: jwtAuthenticator(config.jwt, new TextEncoder().encode(seed)),
      maxReconnectAttempts: FOR_EVER,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      timeout: CONNECT_TIMEOUT_MS,
    });
  } catch (cause) {
    throw new FleetError(
      'LEDGER_UNAVAILABLE',
      `the nats-server at ${config.url} does not answer: is it running, and does it trust this user?`,
      { cause },
    );
  }
}

/** @throws FleetError CONFIG_INVALID */
export async function readSeed(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new FleetError('CONFIG_INVALID', `the seed file ${path} cannot be read`, { cause });
  }
}
