/** The vehicle's port to the hostile cloud: it goes down in the middle of messages and comes back, at the rate of the moment. */
import { type LinkReply, type VehicleLink } from '@fleetloop/edge-agent';
import { subjects, type VehicleId } from '@fleetloop/schemas';
import { type HostileCloud, unavailable } from './hostile-cloud.ts';
import type { VirtualClock } from './virtual-clock.ts';

const RECEIPT_DELAY_MS_MAX = 20_000;

export type HostileLinkOptions = {
  readonly vehicleId: VehicleId;
  readonly cloud: HostileCloud;
  readonly clock: VirtualClock;
  /** Text of the vehicle's desired state. */
  readonly desired: () => string | undefined;
  /** Undefined for one that takes no time. */
  readonly bytesPerS?: () => number;
};

export class HostileLink implements VehicleLink {
  readonly #options: HostileLinkOptions;
  readonly #listeners = new Map<string, (payload: Uint8Array) => void>();
  readonly #connected: (() => void)[] = [];
  #isUp = false;
  /** Counts connections; what was under way on an earlier one is lost. */
  #epoch = 0;
  #freeAtMs = 0;
  /** Bytes of uplink messages that went into the link, arrived or not. */
  sentBytes = 0;

  constructor(options: HostileLinkOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#isUp;
  }

  up(): void {
    if (this.#isUp) return;
    this.#isUp = true;
    this.#epoch += 1;
    this.#freeAtMs = 0;
    for (const listener of this.#connected) listener();
  }

  down(): void {
    this.#isUp = false;
    this.#epoch += 1;
  }

  async publish(subject: string, payload: Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    const { cloud } = this.#options;
    const epoch = this.#epoch;
    if (!this.#isUp) throw unavailable();
    if (subject.includes('.uplink.')) this.sentBytes += payload.length;
    await this.#carry(payload.length);
    // What was on the way when the link went down may still arrive.
    const isCut = epoch !== this.#epoch;
    if (isCut && cloud.random.chance(0.5)) throw unavailable();
    cloud.take(subject, payload, headers, (receipt) => void this.#deliver(receipt));
    if (isCut) throw unavailable();
    if (!subject.includes('.uplink.') || !cloud.random.chance(cloud.hostility.acknowledgementLost)) return;
    this.down();
    this.up();
    throw unavailable();
  }

  async request(subject: string): Promise<LinkReply> {
    const { desired, vehicleId } = this.#options;
    if (!this.#isUp || subject !== subjects.desiredGet(vehicleId)) throw unavailable();
    const text = desired();
    if (text === undefined) return { payload: new Uint8Array(0), headers: { Status: '404' } };
    return { payload: new TextEncoder().encode(text), headers: {} };
  }

  subscribe(subject: string, listener: (payload: Uint8Array) => void): void {
    this.#listeners.set(subject, listener);
  }
  onConnected(listener: () => void): void {
    this.#connected.push(listener);
  }
  async close(): Promise<void> {
    this.down();
  }

  /** A newer desired state is pushed; a link that is down loses it. */
  push(): void {
    const text = this.#options.desired();
    if (this.#isUp && text !== undefined)
      this.#listeners.get(subjects.desired(this.#options.vehicleId))?.(new TextEncoder().encode(text));
  }

  async #deliver(receipt: Uint8Array): Promise<void> {
    const { cloud, clock, vehicleId } = this.#options;
    const isLate = cloud.random.chance(cloud.hostility.receiptLate);
    if (isLate) await clock.wait(cloud.random.integer(1, RECEIPT_DELAY_MS_MAX));
    if (this.#isUp) this.#listeners.get(subjects.receipt(vehicleId))?.(receipt);
  }

  async #carry(bytes: number): Promise<void> {
    const { bytesPerS, clock } = this.#options;
    if (bytesPerS === undefined) return;
    const nowMs = clock.monotonicMs();
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + (bytes * 1_000) / bytesPerS();
    await clock.wait(this.#freeAtMs - nowMs);
  }
}
