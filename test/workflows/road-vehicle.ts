/**
 * Why: rollouts are tested against vehicles that can be told to obey, to stay silent or to refuse, and whose model can go
 * wrong on one hardware revision. They speak the real desired and reported states and real telemetry over a real nats-server.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { create, toBinary } from '@bufbuild/protobuf';
import {
  BUCKETS,
  BundleManifest,
  DesiredState,
  DirectorTargets,
  DsseEnvelope,
  parseVehicleId,
  type ReportedState,
  subjects,
} from '@fleetloop/schemas';
import { InferenceBatchSchema, Role } from '@fleetloop/schemas/wire';
import { jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';

export type Temper = 'obeys' | 'silent' | 'refuses';
const TICK_MS = 60;

export type RoadVehicleOptions = {
  readonly id: string;
  readonly hardwareRevision: 'A' | 'B';
  readonly connection: NatsConnection;
  /** Reads a stored bundle by digest. */
  readonly readBlob: (digest: string) => Promise<Uint8Array>;
};

/** A vehicle that drives all grounds in turn, and whose models of per-axis features are lost on revision B. */
export class RoadVehicle implements AsyncDisposable {
  temper: Temper = 'obeys';
  /** Every bundle that it confirmed, in order. */
  readonly confirmed: (string | null)[] = [];
  readonly campaigns: string[] = [];
  shadow: string | null = null;
  readonly #options: RoadVehicleOptions;
  readonly #desired: KV;
  readonly #reported: KV;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #counter = 0;
  #bundle: string | null = null;
  #manifest: BundleManifest | undefined;
  #refused: ReportedState['model']['refused'] = null;
  #sequence = 0n;

  private constructor(options: RoadVehicleOptions, desired: KV, reported: KV) {
    this.#options = options;
    this.#desired = desired;
    this.#reported = reported;
  }

  static async start(options: RoadVehicleOptions): Promise<RoadVehicle> {
    const buckets = new Kvm(options.connection);
    const vehicle = new RoadVehicle(options, await buckets.open(BUCKETS.desired), await buckets.open(BUCKETS.reported));
    await vehicle.#report();
    vehicle.#running = vehicle.#drive();
    return vehicle;
  }

  get id(): string {
    return this.#options.id;
  }

  get activeBundle(): string | null {
    return this.#bundle;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #drive(): Promise<void> {
    for (let tick = 0; !this.#stop.signal.aborted; tick += 1) {
      if (this.temper !== 'silent') await this.#obey();
      if (this.#manifest !== undefined) await this.#infer(this.#manifest, tick);
      await delay(TICK_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #obey(): Promise<void> {
    const entry = await this.#desired.get(this.id);
    if (entry === null) return;
    const state = DesiredState.parse(JSON.parse(entry.string()));
    this.campaigns.splice(0, this.campaigns.length, ...state.campaigns.map((campaign) => campaign.id));
    if (state.director === null) return;
    const targets = DirectorTargets.parse(JSON.parse(Buffer.from(state.director.payload, 'base64').toString('utf8')));
    if (targets.counter <= this.#counter) return;
    this.#counter = targets.counter;
    if (this.temper === 'refuses') {
      this.#refused = { counter: targets.counter, code: 'INSTALL_GOLDEN', message: 'told to refuse' };
    } else {
      this.shadow = targets.shadow;
      if (this.#bundle !== targets.bundle) await this.#install(targets.bundle);
    }
    await this.#report();
  }

  async #install(bundle: string | null): Promise<void> {
    this.#bundle = bundle;
    this.confirmed.push(bundle);
    if (bundle === null) {
      this.#manifest = undefined;
      return;
    }
    const envelope = DsseEnvelope.parse(JSON.parse(Buffer.from(await this.#options.readBlob(bundle)).toString('utf8')));
    this.#manifest = BundleManifest.parse(JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')));
  }

  async #report(): Promise<void> {
    const bundle = this.#bundle;
    const slots: ReportedState['model']['slots'] =
      bundle === null ? [] : [{ slot: 'A', state: 'confirmed', bundle, variant: 'fp32', reason: 'the only one' }];
    const state: ReportedState = {
      kind: 'reported-state',
      vehicleId: this.id,
      at: new Date().toISOString(),
      desiredVersion: this.#counter,
      hardwareRevision: this.#options.hardwareRevision,
      softwareVersion: '1.0.0',
      campaigns: [],
      model: {
        counter: this.#counter,
        activeSlot: bundle === null ? null : 'A',
        slots,
        shadowBundle: this.shadow,
        refused: this.#refused,
      },
      uplink: { spooled: 0, spooledBytes: 0, verified: 0, refused: 0 },
      source: { sessionsDone: 0, messages: 0, atEnd: false },
      rssBytes: 1,
    };
    await this.#reported.put(this.id, JSON.stringify(state));
  }

  /** One window a tick: the grounds in turn; lost on revision B when the model looks at axes. */
  async #infer(manifest: BundleManifest, tick: number): Promise<void> {
    const { labels, trainingDistribution, featureSet } = manifest;
    const isLost = featureSet.name === 'axes' && this.#options.hardwareRevision === 'B';
    const output = isLost ? labels[0] : labels[tick % labels.length];
    this.#sequence += 1n;
    const shift = featureSet.features.map((_, index) => (isLost && index === featureSet.features.length - 1 ? 30 : 0));
    const features = trainingDistribution.mean.map(
      (mean, index) => mean + (shift[index] ?? 0) * (trainingDistribution.std[index] ?? 1),
    );
    const startNs = 1_700_000_000_000_000_000n + BigInt(tick) * 1_000_000_000n;
    const batch = create(InferenceBatchSchema, {
      vehicleId: this.id,
      bundle: this.#bundle ?? '',
      model: `${manifest.model.name}@${manifest.model.version}`,
      variant: 'fp32',
      directorCounter: this.#counter,
      hardwareRevision: this.#options.hardwareRevision,
      sentAtMs: BigInt(Date.now()),
      inferences: [
        {
          sequence: this.#sequence,
          session: 'ring-road',
          windowStartNs: startNs,
          windowEndNs: startNs + 1_000_000_000n,
          output: output ?? '',
          confidence: 1,
          distance: isLost ? 150 : trainingDistribution.distanceP50,
          latencyUs: 500,
          role: Role.ACTIVE,
          features,
        },
      ],
    });
    await jetstream(this.#options.connection).publish(
      subjects.inference(parseVehicleId(this.id)),
      toBinary(InferenceBatchSchema, batch),
    );
  }
}
