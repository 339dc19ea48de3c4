/** Keeps the last minute of the signals that share a quantity, and says how far their channels are apart in time. */
import type { AlignmentRecord, SignalMessage, SourceMessage } from '@fleetloop/schemas';
import { estimateLag, type Series } from './lag-estimate.ts';
import { type QuantityRole, SHARED_QUANTITIES } from './shared-quantities.ts';

const NS_PER_SECOND = 1e9;
/** Samples kept per signal; one that comes faster than this rate is thinned, which a lag of milliseconds does not notice. */
const SAMPLES_MAX = 4_096;
const RATE_HZ_MAX = 50;
const WINDOW_S_MAX = 120;
const TRACKS_MAX = 32;
const RECORDS_MAX = 64;

type Track = {
  readonly path: string;
  readonly topic: string;
  readonly roles: readonly QuantityRole[];
  readonly timesS: Float64Array;
  readonly values: Float64Array;
  count: number;
};

type Binding = { readonly index: number; readonly track: Track };

export class AlignmentMonitor {
  readonly #tracks: Track[] = [];
  #bindings = new Map<SignalMessage['channel'], readonly Binding[]>();

  startSession(): void {
    this.#tracks.length = 0;
    this.#bindings = new Map();
  }

  /** @param nowNs the message's log time relative to the session's base */
  push(message: SourceMessage, nowNs: number): void {
    if (message.kind !== 'signal') return;
    let bound = this.#bindings.get(message.channel);
    if (bound === undefined) this.#bindings.set(message.channel, (bound = this.#bind(message.channel)));
    for (const { index, track } of bound) add(track, nowNs / NS_PER_SECOND, message.values[index] ?? Number.NaN);
  }

  /** Estimates over the part of the interval that is remembered, one for each two channels that share a quantity. */
  between(startNs: number, endNs: number): readonly AlignmentRecord[] {
    const [startS, endS] = [
      Math.max(startNs / NS_PER_SECOND, endNs / NS_PER_SECOND - WINDOW_S_MAX),
      endNs / NS_PER_SECOND,
    ];
    const shapes = this.#tracks.flatMap((track) =>
      track.roles.map((role) => ({ ...track, role, series: toSeries(track, role, { startS, endS }) })),
    );
    const records: AlignmentRecord[] = [];
    for (const [index, first] of shapes.entries()) {
      for (const second of shapes.slice(index + 1)) {
        if (first.topic === second.topic || first.role.quantity !== second.role.quantity) continue;
        if (records.length >= RECORDS_MAX) return records;
        const estimate = estimateLag(first.series, second.series);
        if (estimate === undefined) continue;
        records.push({
          quantity: first.role.quantity,
          first: first.path,
          second: second.path,
          lagNs: String(Math.round(estimate.lagS * NS_PER_SECOND)),
          uncertaintyNs: String(Math.round(estimate.uncertaintyS * NS_PER_SECOND)),
          correlation: Number(estimate.correlation.toFixed(4)),
        });
      }
    }
    return records;
  }

  #bind(channel: SignalMessage['channel']): readonly Binding[] {
    return channel.signals.flatMap(({ path }, index) => {
      const roles = SHARED_QUANTITIES.get(path);
      if (roles === undefined || this.#tracks.length >= TRACKS_MAX) return [];
      const [timesS, values] = [new Float64Array(SAMPLES_MAX), new Float64Array(SAMPLES_MAX)];
      const track = { path, topic: channel.topic, roles, timesS, values, count: 0 };
      this.#tracks.push(track);
      return [{ index, track }];
    });
  }
}

function add(track: Track, timeS: number, value: number): void {
  if (Number.isNaN(value)) return;
  const last = track.count === 0 ? Number.NEGATIVE_INFINITY : (track.timesS[(track.count - 1) % SAMPLES_MAX] as number);
  if (timeS - last < 1 / RATE_HZ_MAX) return;
  track.timesS[track.count % SAMPLES_MAX] = timeS;
  track.values[track.count % SAMPLES_MAX] = value;
  track.count += 1;
}

function toSeries(track: Track, role: QuantityRole, { startS, endS }: { startS: number; endS: number }): Series {
  const timesS: number[] = [];
  const values: number[] = [];
  for (let at = Math.max(0, track.count - SAMPLES_MAX); at < track.count; at += 1) {
    const timeS = track.timesS[at % SAMPLES_MAX] as number;
    if (timeS < startS || timeS > endS) continue;
    timesS.push(timeS);
    values.push(track.values[at % SAMPLES_MAX] as number);
  }
  const series = { timesS: Float64Array.from(timesS), values: Float64Array.from(values) };
  return role.use === 'value' ? series : derivative(series, role.isAngle);
}

/** Central in time: each slope stands at the middle of its two samples, so that it does not lag. */
function derivative({ timesS, values }: Series, isAngle: boolean): Series {
  const count = Math.max(0, timesS.length - 1);
  const middles = new Float64Array(count);
  const slopes = new Float64Array(count);
  for (let index = 0; index < count; index += 1) {
    const [t0, t1] = [timesS[index] as number, timesS[index + 1] as number];
    let step = (values[index + 1] as number) - (values[index] as number);
    if (isAngle) step -= 360 * Math.round(step / 360);
    middles[index] = (t0 + t1) / 2;
    slopes[index] = step / (t1 - t0);
  }
  return { timesS: middles, values: slopes };
}
