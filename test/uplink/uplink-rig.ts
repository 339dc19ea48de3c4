/** Why: the uplink is proven on a real nats-server and a real ingest, over a real socket that behaves as a script says. */
import { createUser, type KeyPair } from '@nats-io/nkeys';
import type { ApiClient } from '@fleetloop/control-plane';
import {
  type AgentLogger,
  NatsLink,
  nkeySigner,
  systemClock,
  Uplink,
  UplinkConfig,
  type UplinkOptions,
} from '@fleetloop/edge-agent';
import { parseVehicleId, type Priority, type VehicleId } from '@fleetloop/schemas';
import { type LinkScript, MemorySpool, ScriptedLink } from '@fleetloop/sim';
import { makeRecording } from '../ingest/test-vehicle.ts';

export const CHUNK_BYTES = 64 * 1_024;
/** Messages that make a recording of about 1 MiB. */
const MESSAGES_PER_MIB = 14_000;

export const QUIET: AgentLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export type RigVehicle = { readonly id: VehicleId; readonly key: KeyPair; readonly seed: string; readonly jwt: string };

export async function enrolVehicle(api: ApiClient, name: string): Promise<RigVehicle> {
  const key = createUser();
  const { jwt } = await api.post<{ jwt: string }>('/v1/vehicles', {
    vehicleId: name,
    publicKey: key.getPublicKey(),
    hardwareRevision: 'A',
    softwareVersion: '1.0.0',
    place: 'Oulu',
  });
  return { id: parseVehicleId(name), key, seed: new TextDecoder().decode(key.getSeed()), jwt };
}

export type RigOptions = {
  readonly vehicle: RigVehicle;
  readonly natsUrl: string;
  readonly script: LinkScript;
  readonly config?: Parameters<typeof UplinkConfig.parse>[0];
  readonly jwtFile?: string;
  readonly files?: UplinkOptions['files'];
  readonly logger?: AgentLogger;
};

/** One vehicle's uplink with its own link. */
export class UplinkRig implements AsyncDisposable {
  readonly spool = new MemorySpool();
  readonly proxy: ScriptedLink;
  readonly link: NatsLink;
  readonly uplink: Uplink;
  readonly #vehicle: RigVehicle;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  private constructor(options: RigOptions, proxy: ScriptedLink) {
    const { vehicle, config = {}, jwtFile, files, logger = QUIET } = options;
    const { id: vehicleId, jwt, seed } = vehicle;
    this.#vehicle = vehicle;
    this.proxy = proxy;
    this.link = new NatsLink({ vehicleId, url: proxy.url, jwt, jwtFile, seed, logger });
    this.uplink = new Uplink({
      vehicleId,
      spool: this.spool,
      link: this.link,
      signer: nkeySigner(seed),
      clock: systemClock,
      logger,
      config: UplinkConfig.parse(config),
      ...(files === undefined ? {} : { files }),
    });
    this.#done = this.uplink.run(this.#stop.signal);
  }

  static async start(options: RigOptions): Promise<UplinkRig> {
    return new UplinkRig(options, await ScriptedLink.start({ target: options.natsUrl, script: options.script }));
  }

  /** Puts a real recording of about so many MiB into the queue; returns its bytes. */
  async record(eventId: string, priority: Priority, mib: number): Promise<number> {
    const { bytes } = await makeRecording(this.#vehicle.id, eventId, Math.ceil(mib * MESSAGES_PER_MIB));
    this.spool.put({
      eventId,
      priority,
      session: 'test/drive_01',
      campaignIds: ['hard-brake'],
      bytes,
      chunkSizeBytes: CHUNK_BYTES,
    });
    return bytes.length;
  }

  ended(): readonly string[] {
    return this.spool.ends.map(({ eventId, outcome }) => `${eventId} ${outcome}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.link.close();
    await this.proxy[Symbol.asyncDispose]();
  }
}
