/** Tells the nats-server which keys the account of the fleet no longer takes: it closes their connections at once. */
import { connect, jwtAuthenticator } from '@nats-io/transport-node';
import { fromSeed } from '@nats-io/nkeys';
import { FleetError } from '@fleetloop/schemas';
import { z } from 'zod';
import { revokeInAccount } from '../enrolment/credentials.ts';
import type { FleetAccount } from '../enrolment/ports.ts';
import type { ControlPlaneConfig } from '../config/control-plane-config.ts';
import { readSeed } from './nats-connection.ts';

const ANSWER_TIMEOUT_MS = 5_000;
const Answer = z.object({ error: z.object({ description: z.string() }).optional() });

/** Without a user of the system account nobody can be told: what a revoked vehicle sends is refused by ingest all the same. */
export class NatsAccount implements FleetAccount {
  readonly #config: ControlPlaneConfig['nats'];
  /** Revocations take turns: each starts from the account that the one before has pushed. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(config: ControlPlaneConfig['nats']) {
    this.#config = config;
  }

  async cutOff(publicKey: string): Promise<boolean> {
    const { system } = this.#config;
    if (system === undefined) return false;
    const push = async (): Promise<void> => this.#push(system, publicKey);
    const mine = this.#last.then(push, push);
    this.#last = mine;
    await mine;
    return true;
  }

  async #push(system: NonNullable<ControlPlaneConfig['nats']['system']>, publicKey: string): Promise<void> {
    const account = fromSeed(new TextEncoder().encode(await readSeed(this.#config.accountSeedFile))).getPublicKey();
    const seed = new TextEncoder().encode(await readSeed(system.seedFile));
    try {
      const connection = await connect({
        servers: this.#config.url,
        name: 'control-plane-system',
        authenticator: jwtAuthenticator(system.jwt, seed),
        reconnect: false,
        timeout: ANSWER_TIMEOUT_MS,
      });
      try {
        const options = { timeout: ANSWER_TIMEOUT_MS };
        const standing = await connection.request(`$SYS.REQ.ACCOUNT.${account}.CLAIMS.LOOKUP`, '', options);
        const jwt = await revokeInAccount(standing.string(), publicKey, await readSeed(system.operatorSeedFile));
        const reply = await connection.request(`$SYS.REQ.ACCOUNT.${account}.CLAIMS.UPDATE`, jwt, options);
        const { error } = Answer.parse(reply.json());
        if (error !== undefined) throw new Error(error.description);
      } finally {
        await connection.close();
      }
    } catch (cause) {
      throw new FleetError(
        'LEDGER_UNAVAILABLE',
        'the revocation is in the ledger, but the nats-server could not be told: revoke again to cut the connection',
        { cause },
      );
    }
  }
}
