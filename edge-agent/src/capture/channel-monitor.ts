/** Watches all channels of a session: what is wrong with them goes into each recording and into the health report. */
import type {
  AlignmentRecord,
  Channel,
  ChannelQuality,
  ReportedState,
  SignalMessage,
  SourceMessage,
} from '@fleetloop/schemas';
import { AlignmentMonitor } from './alignment-monitor.ts';
import { ChannelStatistics } from './channel-statistics.ts';
import type { FindingKind } from './finding-log.ts';

export const CHANNELS_MAX = 4_096;
/** Signals in km/h that say whether the vehicle stands. */
const SPEED_PATHS: ReadonlySet<string> = new Set([
  'Vehicle.Speed',
  'Vehicle.CurrentLocation.GNSSReceiver.Speed',
  'Vehicle.Chassis.Axle.Row1.Wheel.Left.Speed',
]);
const STANDING_KMH_MAX = 1;
const FROZEN_LISTED_MAX = 64;
const REPORTED_MAX = 64;
/** A fault that has not come back for this long is not reported any more, ns of session time. */
const RECENT_NS = 60e9;
/** A channel is slow when it has kept less than this share of its declared rate over this time. */
const SLOW_SHARE = 0.8;
const SLOW_WINDOW_NS = 12e9;

export type ChannelReport = NonNullable<ReportedState['channels']>[number];

type Watched = { readonly channel: Channel; readonly statistics: ChannelStatistics };

export class ChannelMonitor {
  readonly #watched = new Map<string, Watched>();
  readonly #alignment = new AlignmentMonitor();
  #baseNs: bigint | undefined;
  #nowNs = 0;
  /** Latest known; NaN while the vehicle's speed is unknown. */
  #speedKmh = Number.NaN;
  /** Declared channels of which nothing has come yet. */
  #awaited: readonly Channel[] = [];
  #speedIndexes = new Map<SignalMessage['channel'], number>();

  startSession(channels: readonly Channel[]): void {
    this.#watched.clear();
    this.#alignment.startSession();
    this.#baseNs = undefined;
    this.#nowNs = 0;
    this.#speedKmh = Number.NaN;
    this.#speedIndexes = new Map();
    this.#awaited = channels.filter((channel) => channel.rateHz !== undefined);
  }

  /** Sees every message of the session as it came. */
  push(message: SourceMessage): void {
    this.#baseNs ??= message.logTimeNs;
    const nowNs = Number(message.logTimeNs - this.#baseNs);
    if (nowNs > this.#nowNs) this.#nowNs = nowNs;
    const { topic } = message.channel;
    let watched = this.#watched.get(topic);
    if (watched === undefined) {
      if (this.#watched.size >= CHANNELS_MAX) return;
      watched = { channel: message.channel, statistics: new ChannelStatistics(message) };
      this.#watched.set(topic, watched);
    }
    if (message.kind === 'signal') this.#followSpeed(message);
    watched.statistics.push(message, nowNs, this.#speedKmh < STANDING_KMH_MAX);
    this.#alignment.push(message, nowNs);
  }

  /** Time passes without messages. */
  tick(nowNs: bigint): void {
    if (this.#baseNs !== undefined) this.#nowNs = Math.max(this.#nowNs, Number(nowNs - this.#baseNs));
  }

  /** What was noticed inside an interval, for the recording; channels of which nothing is to be said are left out. */
  quality(startNs: bigint, endNs: bigint): readonly ChannelQuality[] {
    const base = this.#baseNs;
    if (base === undefined) return [];
    const [fromNs, toNs] = [Number(startNs - base), Number(endNs - base)];
    return [...this.#watched.values()].flatMap(({ channel, statistics }) => {
      const quality = qualityOf(channel, statistics, { fromNs, toNs, base });
      return Object.keys(quality).length > 1 ? [quality] : [];
    });
  }

  alignment(startNs: bigint, endNs: bigint): readonly AlignmentRecord[] {
    const base = this.#baseNs;
    return base === undefined ? [] : this.#alignment.between(Number(startNs - base), Number(endNs - base));
  }

  /** What is wrong now, worst first: silence, then frozen values, then the rest. */
  report(): readonly ChannelReport[] {
    const base = this.#baseNs ?? 0n;
    const reports = [...this.#watched.values()].flatMap((watched) => this.#reportOf(watched, base));
    const silent = this.#awaited.filter(({ topic }) => !this.#watched.has(topic));
    const never = silent.map(
      (channel): ChannelReport => ({
        topic: channel.topic,
        finding: 'silent',
        atNs: String(base),
        count: 1,
        detail: `declared at ${channel.rateHz} Hz, nothing has come`,
      }),
    );
    return [...never, ...reports]
      .toSorted((a, b) => ORDER.indexOf(a.finding) - ORDER.indexOf(b.finding))
      .slice(0, REPORTED_MAX);
  }

  #followSpeed({ channel, values }: SignalMessage): void {
    let index = this.#speedIndexes.get(channel);
    if (index === undefined) {
      index = channel.signals.findIndex(({ path }) => SPEED_PATHS.has(path));
      this.#speedIndexes.set(channel, index);
    }
    const value = values[index];
    if (value !== undefined && !Number.isNaN(value)) this.#speedKmh = Math.abs(value);
  }

  #reportOf({ channel, statistics }: Watched, base: bigint): readonly ChannelReport[] {
    const { topic } = channel;
    const at = (ns: number): string => String(base + BigInt(Math.round(ns)));
    const reports: ChannelReport[] = [];
    const silentNs = statistics.silentSince(this.#nowNs);
    if (silentNs !== undefined) {
      const seconds = ((this.#nowNs - silentNs) / 1e9).toFixed(1);
      reports.push({ topic, finding: 'silent', atNs: at(silentNs), count: 1, detail: `nothing for ${seconds} s` });
    }
    const slow = this.#slowness(channel, statistics);
    if (slow !== undefined && silentNs === undefined)
      reports.push({ topic, finding: 'slow', atNs: at(this.#nowNs), count: 1, detail: slow });
    for (const { signal, sinceNs } of statistics.frozenNow()) {
      const path = pathOf(channel, signal) ?? 'the payload';
      reports.push({ topic, finding: 'frozen', atNs: at(sinceNs), count: 1, detail: `${path} stands still` });
    }
    for (const kind of ['gaps', 'duplicates', 'out-of-order'] as const) {
      const lastNs = statistics.log.lastNs(kind);
      if (lastNs === undefined || this.#nowNs - lastNs > RECENT_NS) continue;
      const count = statistics.log.count(kind);
      reports.push({ topic, finding: kind, atNs: at(lastNs), count, detail: `${count} in this session` });
    }
    return reports;
  }

  /** A channel that declares its rate and has not kept it for a while, in words. */
  #slowness(channel: Channel, statistics: ChannelStatistics): string | undefined {
    const measuredHz = statistics.measuredRateHz(this.#nowNs - SLOW_WINDOW_NS, this.#nowNs);
    if (channel.rateHz === undefined || measuredHz === undefined || measuredHz >= SLOW_SHARE * channel.rateHz)
      return undefined;
    return `${toDigits(measuredHz)} Hz over ${SLOW_WINDOW_NS / 1e9} s, declared are ${channel.rateHz} Hz`;
  }
}

const ORDER: readonly ChannelReport['finding'][] = ['silent', 'frozen', 'slow', 'gaps', 'out-of-order', 'duplicates'];

type Span = { readonly fromNs: number; readonly toNs: number; readonly base: bigint };

function qualityOf(channel: Channel, statistics: ChannelStatistics, { fromNs, toNs, base }: Span): ChannelQuality {
  const findings = statistics.log.between(fromNs, toNs);
  const count = (kind: FindingKind): number => findings.filter((finding) => finding.kind === kind).length;
  const [duplicates, outOfOrder] = [count('duplicates'), count('out-of-order')];
  const ended = findings.filter(({ kind }) => kind === 'frozen');
  const open = statistics
    .frozenNow()
    .flatMap(({ signal, sinceNs }) => (sinceNs <= toNs ? [{ signal, fromNs: sinceNs, toNs }] : []));
  const frozen = [...ended, ...open].slice(0, FROZEN_LISTED_MAX).map((each) => {
    const path = pathOf(channel, each.signal);
    const at = (ns: number): string => String(base + BigInt(Math.round(Math.min(Math.max(ns, fromNs), toNs))));
    return { ...(path === undefined ? {} : { path }), fromNs: at(each.fromNs), toNs: at(each.toNs) };
  });
  const expectedRateHz = statistics.expectedRateHz();
  const measuredRateHz = statistics.measuredRateHz(fromNs, toNs);
  return {
    topic: channel.topic,
    ...(expectedRateHz === undefined ? {} : { expectedRateHz: toDigits(expectedRateHz) }),
    ...(measuredRateHz === undefined ? {} : { measuredRateHz: toDigits(measuredRateHz) }),
    ...(duplicates === 0 ? {} : { duplicates }),
    ...(outOfOrder === 0 ? {} : { outOfOrder }),
    ...(frozen.length === 0 ? {} : { frozen }),
  };
}

const toDigits = (value: number): number => Number(value.toPrecision(6));

function pathOf(channel: Channel, signal: number | undefined): string | undefined {
  return channel.kind === 'signal' && signal !== undefined ? channel.signals[signal]?.path : undefined;
}
