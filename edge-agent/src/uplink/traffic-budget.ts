/**
 * What the network of the moment still lets through: its rate, and its bytes of the day. The day's use is on disk before it
 * is used: a crash may cost the unused part of the last lease, and never gives bytes twice.
 */
import { FleetError, type Priority } from '@fleetloop/schemas';
import type { AgentClock, AgentLogger } from '../ports.ts';
import { DAY_MS, FRESH_DAY, leftFor, passTime, timeWhileOffMs } from './daily-budget.ts';
import { NETWORK_CLASSES, type NetworkClass, type NetworkClassSource } from './network-class.ts';
import { fillBucket, refill, take, type TokenBucket, waitForTokensMs } from './token-bucket.ts';
import { type Days, everyDay, fromTrafficText, toTrafficText, TRAFFIC_FILE } from './traffic-record.ts';
import { limitsOf, type NetworkLimits, type UplinkConfig } from './uplink-config.ts';

const MIB = 1_024 * 1_024;
/** Bytes that are put on disk as used ahead of their use; more when they are used up quickly. */
const LEASE_BYTES_MIN = MIB;
const LEASE_BYTES_MAX = 64 * MIB;
/** A lease that lasted less than this is doubled, one that lasted four times as long is halved. */
const LEASE_MS = 5_000;

/** Two calls of what keeps small files durably. */
export type TrafficFiles = {
  readonly readText: (name: string) => Promise<string | undefined>;
  readonly writeText: (name: string, text: string) => Promise<void>;
};

export type TrafficBudgetOptions = {
  readonly config: UplinkConfig;
  readonly network: NetworkClassSource;
  /** Without them nothing is remembered over a restart. */
  readonly files: TrafficFiles | undefined;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
};

export class TrafficBudget {
  readonly #options: TrafficBudgetOptions;
  readonly #buckets = new Map<NetworkClass, TokenBucket>();
  readonly #leased = new Map<NetworkClass, number>();
  readonly #listeners: (() => void)[] = [];
  #days: Days = everyDay(() => FRESH_DAY);
  #seenMs: number;
  #atMs: number;
  #leaseBytes = LEASE_BYTES_MIN;
  #leasedAtMs: number;
  #writing: Promise<void> | undefined;

  constructor(options: TrafficBudgetOptions) {
    this.#options = options;
    this.#seenMs = options.clock.nowMs();
    this.#atMs = options.clock.monotonicMs();
    this.#leasedAtMs = this.#atMs;
    options.network.onChange(() => this.#changed());
  }

  /** Continues the day of the last run. */
  async restore(): Promise<void> {
    const { files, clock, logger } = this.#options;
    const text = await files?.readText(TRAFFIC_FILE);
    if (text === undefined) return;
    const record = fromTrafficText(text);
    if (record === undefined) {
      logger.error({ file: TRAFFIC_FILE }, 'uplink.traffic.unreadable');
      return;
    }
    const nowMs = clock.nowMs();
    const offMs = timeWhileOffMs(record.seenMs, nowMs);
    this.#seenMs = Math.max(record.seenMs, nowMs);
    this.#days = this.#afterTime(record.days, offMs);
    for (const each of NETWORK_CLASSES) this.#leased.set(each, this.#days[each].usedBytes);
  }

  /** Called when more may be sent than before. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  get networkClass(): NetworkClass {
    return this.#options.network.current();
  }

  /** How long the budget of the day keeps bytes of a priority back, ms; 0 is not at all, infinite is until the network changes. */
  dayWaitMs(priority: Priority, bytes: number): number {
    const limits = this.#limits();
    if (limits === undefined) return Number.POSITIVE_INFINITY;
    this.#tick();
    const day = this.#days[this.networkClass];
    return leftFor(day, limits, priority) < bytes ? Math.max(1, DAY_MS - day.elapsedMs) : 0;
  }

  /** How long the rate keeps back what the day lets through, ms; infinite is until a change is told. */
  flowWaitMs(bytes: number): number {
    const limits = this.#limits();
    if (limits === undefined) return Number.POSITIVE_INFINITY;
    if (this.#needsLease(limits, bytes)) {
      this.#lease();
      return Number.POSITIVE_INFINITY;
    }
    return waitForTokensMs(this.#bucket(limits), limits, bytes);
  }

  /** Bytes go out now. */
  spend(bytes: number): void {
    const limits = this.#limits();
    if (limits === undefined) return;
    this.#tick();
    const { networkClass } = this;
    const day = this.#days[networkClass];
    this.#buckets.set(networkClass, take(this.#bucket(limits), bytes));
    this.#days = { ...this.#days, [networkClass]: { ...day, usedBytes: day.usedBytes + bytes } };
    if (limits.dailyBytes !== null && this.#unusedLease() < this.#leaseBytes / 2) this.#lease();
  }

  /** Bytes that a priority may still send today on this network; infinite without a limit. */
  leftToday(priority: Priority): number {
    const limits = this.#limits();
    if (limits === undefined) return 0;
    this.#tick();
    return leftFor(this.#days[this.networkClass], limits, priority);
  }

  /** Writes what was really used; the lease is given back. */
  async close(): Promise<void> {
    await this.#writing;
    this.#tick();
    await this.#write(this.#days);
  }

  #limits(): NetworkLimits | undefined {
    return limitsOf(this.#options.config, this.networkClass);
  }

  #bucket(limits: NetworkLimits): TokenBucket {
    const nowMs = this.#options.clock.monotonicMs();
    const bucket = this.#buckets.get(this.networkClass);
    return bucket === undefined ? fillBucket(limits, nowMs) : refill(bucket, limits, nowMs);
  }

  #tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const before = this.#days;
    this.#days = this.#afterTime(before, nowMs - this.#atMs);
    this.#atMs = nowMs;
    for (const each of NETWORK_CLASSES) {
      // A new day has begun: what was leased belongs to the old one.
      if (this.#days[each].elapsedMs < before[each].elapsedMs) this.#leased.set(each, 0);
    }
  }

  #afterTime(days: Days, passedMs: number): Days {
    return everyDay((networkClass) => {
      const limits = limitsOf(this.#options.config, networkClass);
      return limits === undefined ? days[networkClass] : passTime(days[networkClass], limits, passedMs);
    });
  }

  #unusedLease(): number {
    return (this.#leased.get(this.networkClass) ?? 0) - this.#days[this.networkClass].usedBytes;
  }

  #needsLease(limits: NetworkLimits, bytes: number): boolean {
    return this.#options.files !== undefined && limits.dailyBytes !== null && this.#unusedLease() < bytes;
  }

  /** Puts more bytes on disk as used than are, so that the next ones may go at once. */
  #lease(): void {
    if (this.#options.files === undefined || this.#writing !== undefined) return;
    const lastedMs = this.#atMs - this.#leasedAtMs;
    const factor = lastedMs < LEASE_MS ? 2 : lastedMs > 4 * LEASE_MS ? 0.5 : 1;
    this.#leaseBytes = Math.min(LEASE_BYTES_MAX, Math.max(LEASE_BYTES_MIN, this.#leaseBytes * factor));
    this.#leasedAtMs = this.#atMs;
    const { networkClass } = this;
    const leased = this.#days[networkClass].usedBytes + this.#leaseBytes;
    const days = { ...this.#days, [networkClass]: { ...this.#days[networkClass], usedBytes: leased } };
    this.#writing = this.#write(days).finally(() => {
      this.#writing = undefined;
      // A disk that refuses must not stop the uploads that would empty it: then a crash may forget this lease.
      this.#leased.set(networkClass, leased);
      this.#changed();
    });
  }

  async #write(days: Days): Promise<void> {
    const { files, clock, logger } = this.#options;
    this.#seenMs = Math.max(this.#seenMs, clock.nowMs());
    try {
      await files?.writeText(TRAFFIC_FILE, toTrafficText({ seenMs: this.#seenMs, days }));
    } catch (error) {
      const { code, message } = FleetError.from(error, 'RECORD_WRITE');
      logger.warn({ code, message }, 'uplink.traffic.unwritten');
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
