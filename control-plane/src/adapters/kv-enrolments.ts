/** Tells regions of vehicles through a bucket that they mirror. */
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { BUCKETS, FleetError } from '@fleetloop/schemas';
import type { EnrolmentNotices } from '../enrolment/ports.ts';
import type { EnrolledVehicle } from '../ingest/ports.ts';
import type { Projection } from '../ports.ts';

export class KvEnrolments implements EnrolmentNotices {
  readonly #bucket: KV;

  private constructor(bucket: KV) {
    this.#bucket = bucket;
  }

  /** The bucket must exist. */
  static async open(connection: NatsConnection): Promise<KvEnrolments> {
    return new KvEnrolments(await new Kvm(connection).open(BUCKETS.enrolled));
  }

  /** Writes only what is new. */
  async tell({ vehicleId, publicKey, isRevoked }: EnrolledVehicle): Promise<void> {
    const text = JSON.stringify({ publicKey, isRevoked });
    try {
      const entry = await this.#bucket.get(vehicleId);
      if (entry?.operation === 'PUT' && entry.string() === text) return;
      await this.#bucket.put(vehicleId, text);
    } catch (cause) {
      throw new FleetError('LEDGER_UNAVAILABLE', `the regions cannot be told of ${vehicleId}: try again`, { cause });
    }
  }

  /** Tells of all vehicles that the ledger knows: a crash may have come between a fact and its notice. */
  async tellAll(projection: Projection): Promise<void> {
    const rows = await projection.query(
      'SELECT vehicle_id, public_key, state FROM vehicle_keys QUALIFY row_number() OVER (PARTITION BY vehicle_id ORDER BY sequence DESC) = 1',
    );
    for (const row of rows) {
      await this.tell({
        vehicleId: String(row['vehicle_id']),
        publicKey: String(row['public_key']),
        isRevoked: row['state'] === 'revoked',
      });
    }
  }
}
