/** Desired and reported states in NATS key-value buckets; writers take turns by the revision that they have read. */
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { BUCKETS, DesiredState, FleetError, parseCampaign, type PullRequest, ReportedState } from '@fleetloop/schemas';
import { signDocument, type SigningKey } from '@fleetloop/schemas/crypto';
import type { z } from 'zod';
import {
  type TargetsRequest,
  withCampaign,
  withoutCampaign,
  withoutPull,
  withPull,
  withTargets,
} from '../assign/desired-changes.ts';
import type { VehicleStates } from '../ports.ts';

/** Writers that may be faster than us before we give up. */
const ATTEMPTS_MAX = 32;
/** Vehicles written at once. */
const WRITES_AT_ONCE = 8;

export class KvVehicleStates implements VehicleStates {
  readonly #desired: KV;
  readonly #reported: KV;
  readonly #directorKey: SigningKey;

  private constructor(desired: KV, reported: KV, directorKey: SigningKey) {
    this.#desired = desired;
    this.#reported = reported;
    this.#directorKey = directorKey;
  }

  /** The buckets must exist. */
  static async open(connection: NatsConnection, directorKey: SigningKey): Promise<KvVehicleStates> {
    const buckets = new Kvm(connection);
    return new KvVehicleStates(await buckets.open(BUCKETS.desired), await buckets.open(BUCKETS.reported), directorKey);
  }

  async assign(targets: Parameters<VehicleStates['assign']>[0]): Promise<number> {
    const { vehicleId, bundle, shadow, rolloutId, reason } = targets;
    const request: TargetsRequest = { bundle, shadow, rolloutId, reason, issuedAt: new Date().toISOString() };
    let counter = 0;
    await this.#change(vehicleId, (former) => {
      const next = withTargets(vehicleId, former, request, (type, document) =>
        signDocument(type, document, this.#directorKey),
      );
      counter = next.counter;
      return next.state;
    });
    return counter;
  }

  async pushCampaign(vehicles: readonly string[], campaign: unknown): Promise<void> {
    const checked = parseCampaign(campaign);
    for (let start = 0; start < vehicles.length; start += WRITES_AT_ONCE) {
      const group = vehicles.slice(start, start + WRITES_AT_ONCE);
      await Promise.all(
        group.map(async (vehicleId) => this.#change(vehicleId, (former) => withCampaign(vehicleId, former, checked))),
      );
    }
  }

  async withdrawCampaign(vehicles: readonly string[], campaignId: string): Promise<void> {
    for (let start = 0; start < vehicles.length; start += WRITES_AT_ONCE) {
      const group = vehicles.slice(start, start + WRITES_AT_ONCE);
      await Promise.all(
        group.map(async (vehicleId) => this.#change(vehicleId, (former) => withoutCampaign(former, campaignId))),
      );
    }
  }

  async addPull(vehicleId: string, pull: PullRequest): Promise<void> {
    await this.#change(vehicleId, (former) => withPull(vehicleId, former, pull));
  }

  async removePull(vehicleId: string, pullId: string): Promise<void> {
    await this.#change(vehicleId, (former) => withoutPull(former, pullId));
  }

  async reported(vehicleId: string): Promise<ReportedState | undefined> {
    return (await read(this.#reported, vehicleId, ReportedState))?.document;
  }

  async desired(vehicleId: string): Promise<DesiredState | undefined> {
    return (await read(this.#desired, vehicleId, DesiredState))?.document;
  }

  async #change(
    vehicleId: string,
    change: (former: DesiredState | undefined) => DesiredState | undefined,
  ): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const former = await read(this.#desired, vehicleId, DesiredState);
      const next = change(former?.document);
      if (next === undefined) return;
      if (await this.#write(vehicleId, next, former?.revision ?? 0)) return;
    }
    throw new FleetError(
      'LEDGER_CONFLICT',
      `the desired state of ${vehicleId} changed ${ATTEMPTS_MAX} times while it was being written: try again`,
    );
  }

  /** False when somebody else wrote since `revision`. */
  async #write(vehicleId: string, state: DesiredState, revision: number): Promise<boolean> {
    try {
      const text = JSON.stringify(state);
      if (revision === 0) await this.#desired.create(vehicleId, text);
      else await this.#desired.update(vehicleId, text, revision);
      return true;
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamWrongLastSequence) return false;
      throw FleetError.from(error, 'LEDGER_UNAVAILABLE');
    }
  }
}

async function read<Schema extends z.ZodType>(
  bucket: KV,
  vehicleId: string,
  schema: Schema,
): Promise<{ readonly document: z.infer<Schema>; readonly revision: number } | undefined> {
  const entry = await bucket.get(vehicleId).catch((error: unknown) => {
    throw FleetError.from(error, 'LEDGER_UNAVAILABLE');
  });
  if (entry === null || entry.operation !== 'PUT') return undefined;
  const parsed = schema.safeParse(JSON.parse(entry.string()));
  // A vehicle writes its own report: what does not fit the schema counts as no report.
  return parsed.success ? { document: parsed.data, revision: entry.revision } : undefined;
}
