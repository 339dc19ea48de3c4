/** Asks vehicles over NATS; the reply comes on the asker's own inbox, which the vehicle may answer once. */
import type { NatsConnection } from '@nats-io/transport-node';
import { subjects, type VehicleId } from '@fleetloop/schemas';
import type { VehicleQuestions } from '../monitoring/ports.ts';

const ANSWER_TIMEOUT_MS = 5_000;
/** An explanation is read by people; more than this is not one. */
const ANSWER_BYTES_MAX = 1024 * 1024;

export class NatsQuestions implements VehicleQuestions {
  readonly #connection: NatsConnection;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
  }

  async ask(vehicleId: VehicleId, question: object): Promise<unknown> {
    const reply = await this.#connection
      .request(subjects.explain(vehicleId), JSON.stringify(question), { timeout: ANSWER_TIMEOUT_MS })
      .catch(() => undefined);
    if (reply === undefined || reply.data.length > ANSWER_BYTES_MAX) return undefined;
    try {
      return JSON.parse(reply.string()) as unknown;
    } catch {
      // Not JSON is as good as no answer: whatever spoke there was not an agent.
      return undefined;
    }
  }
}
