/** Why: holds the signals of motion against each other, two at a time and block by block; what they say is judged at the end. */
import { GravityWindows } from './gravity-windows.ts';
import { type MotionRole, motionRoleOf, toRuleUnit } from './motion-roles.ts';
import { PairStatistics } from './pair-statistics.ts';
import { PositionMonitor, turnOf } from './position-monitor.ts';
import type { BoundSignal } from './signal-binding.ts';
import type { Standard } from './standard.ts';
import { StillDrive } from './still-drive.ts';
import { asSmoothAsDerivative, BLOCK_NS, derivative, type Grid, Track } from './track.ts';

const MEMBERS_MAX = 64;
const PAIRS_MAX = 128;
const GRID_NS_MIN = 100e6;
const GRID_NS_MAX = 2e9;
/** The rate of a heading is mostly noise over less. */
const HEADING_GRID_NS_MIN = 1e9;
const STEPS_MIN = 12;

/** One signal that takes part. */
export type Member = {
  readonly signal: BoundSignal;
  readonly role: MotionRole;
  readonly track: Track;
  /** Farthest that the vehicle drove, by its own speed, while a heading kept one value. */
  readonly still: StillDrive;
  /** Its value in the last message, NaN when it had none. */
  latest: number;
};
/** The triple of one topic. */
export type Triple = { readonly members: readonly (Member | undefined)[]; readonly gravity: GravityWindows };

export const PAIR_KINDS = [
  'acceleration',
  'yaw',
  'lateral',
  'position-speed',
  'speed',
  'distance',
  'course',
  'wheel-yaw',
] as const;
export type PairKind = (typeof PAIR_KINDS)[number];
/** Two signals and what was found of them. `axis` is the one of the second signal. */
export type Pair = {
  readonly kind: PairKind;
  readonly axis: number;
  readonly first: BoundSignal;
  readonly second: BoundSignal;
  readonly statistics: PairStatistics;
};

type Feed = (nowNs: number, values: Float64Array) => void;
type TrackLike = Pick<Track, 'onGrid' | 'smoothed' | 'periodNs' | 'count'>;

export class MotionMonitor {
  readonly #standard: Standard;
  readonly #members: Member[] = [];
  readonly #triples = new Map<string, Triple>();
  readonly #positions = new Map<string, { readonly monitor: PositionMonitor; readonly signal: BoundSignal }>();
  readonly #pairs = new Map<string, Pair>();
  #blockStartNs = 0;
  #speedMps = Number.NaN;
  #speedMpsMax = 0;
  #speedOf: Member | undefined;
  /** The speed that all else is held against. */
  #mainSpeed: Member | undefined;

  constructor(standard: Standard) {
    this.#standard = standard;
  }

  /** Takes part with a topic's signals; gives what is to be called with the values of each message, or undefined. */
  bind(signals: readonly BoundSignal[]): Feed | undefined {
    const feeds: Feed[] = [];
    const byKind = { acceleration: [] as (Member | undefined)[], gyro: [] as (Member | undefined)[] };
    const position: { latitude?: number; longitude?: number; heading?: Member } = {};
    for (const [index, signal] of signals.entries()) {
      const role = motionRoleOf(signal.path);
      if (role === undefined || this.#members.length >= MEMBERS_MAX) continue;
      if (role.kind === 'latitude' || role.kind === 'longitude') {
        position[role.kind] = index;
        continue;
      }
      const member = { signal, role, track: new Track(), still: new StillDrive(), latest: Number.NaN };
      this.#members.push(member);
      if (role.kind === 'acceleration' || role.kind === 'gyro') byKind[role.kind][role.axis] = member;
      if (role.kind === 'heading') position.heading ??= member;
      feeds.push(this.#feedOf(member, index));
    }
    const indexes = byKind.acceleration.map((member) => (member === undefined ? -1 : signals.indexOf(member.signal)));
    if (indexes.length === 3 && indexes.every((index) => index >= 0))
      feeds.push(this.#feedTriple(signals, indexes, byKind.acceleration));
    if (position.latitude !== undefined && position.longitude !== undefined)
      feeds.push(this.#feedPosition(signals, [position.latitude, position.longitude], position.heading));
    if (feeds.length === 0) return undefined;
    return (nowNs, values) => {
      if (nowNs - this.#blockStartNs >= BLOCK_NS || nowNs < this.#blockStartNs - BLOCK_NS) this.#endBlock(nowNs);
      for (const feed of feeds) feed(nowNs, values);
    };
  }

  finish(): void {
    this.#endBlock(this.#blockStartNs);
    for (const { gravity } of this.#triples.values()) gravity.finish();
  }

  get pairs(): readonly Pair[] {
    return [...this.#pairs.values()];
  }

  /** Fastest that the vehicle went by its own speed, m/s. */
  get speedMpsMax(): number {
    return this.#speedMpsMax;
  }

  get headings(): readonly Member[] {
    return this.#members.filter(({ role }) => role.kind === 'heading');
  }

  get triples(): readonly Triple[] {
    return [...this.#triples.values()];
  }

  get positions(): readonly { readonly monitor: PositionMonitor; readonly signal: BoundSignal }[] {
    return [...this.#positions.values()];
  }

  #feedOf(member: Member, index: number): Feed {
    const { role, track, signal } = member;
    const scale = signal.conversion?.scale ?? 1;
    const offset = signal.conversion?.offset ?? 0;
    let unwrapped = Number.NaN;
    if (role.kind === 'speed' && (this.#speedOf === undefined || (role.isPrimary && !isPrimary(this.#speedOf))))
      this.#speedOf = member;
    return (nowNs, values) => {
      const raw = values[index] as number;
      member.latest = Number.NaN;
      if (!Number.isFinite(raw)) return;
      const value = signal.conversion === undefined ? raw : toRuleUnit(role, raw * scale + offset);
      if (role.kind === 'heading') {
        member.latest = value;
        unwrapped = Number.isNaN(unwrapped) ? value : unwrapped + turnOf(value - unwrapped);
        track.push(nowNs, unwrapped);
        member.still.push(nowNs, raw, this.#speedMps);
        return;
      }
      if (member === this.#speedOf) {
        this.#speedMps = value;
        if (value > this.#speedMpsMax) this.#speedMpsMax = value;
      }
      track.push(nowNs, value);
    };
  }

  #feedTriple(
    signals: readonly BoundSignal[],
    indexes: readonly number[],
    members: readonly (Member | undefined)[],
  ): Feed {
    const gravity = new GravityWindows(this.#standard.imu.windowMs * 1e6);
    this.#triples.set(signals[0]?.topic ?? '', { members, gravity });
    const scales = indexes.map((index) => signals[index]?.conversion?.scale ?? 1);
    const [x, y, z] = indexes as [number, number, number];
    const [sx, sy, sz] = scales as [number, number, number];
    return (nowNs, values) =>
      gravity.push(nowNs, (values[x] as number) * sx, (values[y] as number) * sy, (values[z] as number) * sz);
  }

  #feedPosition(
    signals: readonly BoundSignal[],
    [latitude, longitude]: readonly [number, number],
    heading: Member | undefined,
  ): Feed {
    const monitor = new PositionMonitor(this.#standard.location);
    const signal = signals[latitude] as BoundSignal;
    this.#positions.set(signal.topic, { monitor, signal });
    const [scaleLatitude, scaleLongitude] = [latitude, longitude].map(
      (index) => signals[index]?.conversion?.scale ?? 1,
    ) as [number, number];
    return (nowNs, values) =>
      monitor.push(
        nowNs,
        (values[latitude] as number) * scaleLatitude,
        (values[longitude] as number) * scaleLongitude,
        { speedMps: this.#speedMps, heading: heading?.latest ?? Number.NaN },
      );
  }

  #endBlock(nowNs: number): void {
    this.#compare();
    for (const { track } of this.#members) track.clear();
    for (const { monitor } of this.#positions.values()) monitor.clear();
    this.#blockStartNs = nowNs;
  }

  #compare(): void {
    const members = withoutShadows(this.#members);
    const of = (kind: MotionRole['kind']): Member[] => members.filter(({ role }) => role.kind === kind);
    const speeds = this.#inOrder(of('speed'));
    const [speed] = speeds;
    const gyros = of('gyro');
    const positions = [...this.#positions.values()];
    if (speed !== undefined) {
      for (const axis of of('acceleration')) this.#pair('acceleration', speed, axis, rateAgainstValue);
      for (const other of speeds.slice(1)) this.#pair('speed', speed, other, valueAgainstValue);
      for (const distance of of('distance')) this.#pair('distance', speed, distance, valueAgainstRate);
      for (const { monitor, signal } of positions)
        this.#pair('position-speed', speed, { signal, track: monitor.speed }, valueAgainstValue);
      const yaw = gyros.find(({ role }) => role.kind === 'gyro' && role.axis === 2);
      const lateral = of('acceleration').find(({ role }) => role.kind === 'acceleration' && role.axis === 1);
      if (yaw !== undefined && lateral !== undefined) this.#lateral(speed, yaw, lateral);
    }
    for (const heading of of('heading')) {
      for (const gyro of gyros) this.#pair('yaw', heading, gyro, this.#headingRate(speed));
      for (const { monitor, signal } of positions)
        if (signal.topic === heading.signal.topic)
          this.#pair('course', { signal, track: monitor.course }, heading, valueAgainstValue);
    }
    // Where a receiver gives no heading, the course of its positions stands for one.
    for (const { monitor, signal } of positions)
      if (of('heading').every((heading) => heading.signal.topic !== signal.topic))
        for (const gyro of gyros) this.#pair('yaw', { signal, track: monitor.course }, gyro, this.#headingRate(speed));
    this.#wheels(speeds, gyros);
  }

  /** The one that comes most often of those that are the vehicle's speed; it stays, so that pairs stay what they are. */
  #inOrder(speeds: readonly Member[]): readonly Member[] {
    const counted = speeds.filter((member) => isPrimary(member) && member.track.count >= STEPS_MIN);
    this.#mainSpeed ??= counted.toSorted((a, b) => b.track.count - a.track.count)[0];
    const rank = (member: Member): number => (member === this.#mainSpeed ? 2 : Number(isPrimary(member)));
    return speeds.toSorted((a, b) => rank(b) - rank(a));
  }

  #pair(
    kind: PairKind,
    first: { readonly signal: BoundSignal; readonly track: TrackLike },
    second: { readonly signal: BoundSignal; readonly track: TrackLike; readonly role?: MotionRole },
    series: (first: TrackLike, second: TrackLike, grid: Grid) => readonly [Float64Array, Float64Array],
  ): void {
    if (first.track.count < STEPS_MIN || second.track.count < STEPS_MIN) return;
    const key = [kind, first.signal.topic, first.signal.name, second.signal.topic, second.signal.name].join(' ');
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      if (this.#pairs.size >= PAIRS_MAX) return;
      const periodNs = Math.max(first.track.periodNs, second.track.periodNs);
      const stepNs = Math.min(GRID_NS_MAX, Math.max(kind === 'yaw' ? HEADING_GRID_NS_MIN : GRID_NS_MIN, periodNs));
      const axis = second.role !== undefined && 'axis' in second.role ? second.role.axis : -1;
      pair = { kind, axis, first: first.signal, second: second.signal, statistics: new PairStatistics(stepNs) };
      this.#pairs.set(key, pair);
    }
    const { stepNs } = pair.statistics;
    const grid = { startNs: this.#blockStartNs, stepNs, steps: Math.ceil(BLOCK_NS / stepNs) + 1 };
    pair.statistics.add(...series(first.track, second.track, grid), grid.startNs);
  }

  /** Heading says nothing while the vehicle stands. */
  #headingRate(speed: Member | undefined) {
    const moving = this.#standard.motion.movingMpsMin;
    return (first: TrackLike, second: TrackLike, grid: Grid): readonly [Float64Array, Float64Array] => {
      const rate = derivative(first.onGrid(grid), grid.stepNs);
      const mps = speed?.track.onGrid(grid);
      for (let at = 0; at < rate.length; at += 1) {
        const isStanding = mps !== undefined && !((mps[at] as number) >= moving);
        if (isStanding || Math.abs(rate[at] as number) > 90) rate[at] = Number.NaN;
      }
      return [rate, asSmoothAsDerivative(second.smoothed(grid))];
    };
  }

  #lateral(speed: Member, yaw: Member, lateral: Member): void {
    this.#pair('lateral', yaw, lateral, (first, second, grid) => {
      const rate = first.smoothed(grid);
      const mps = speed.track.onGrid(grid);
      const product = rate.map((value, at) => (value * (mps[at] as number) * Math.PI) / 180);
      return [asSmoothAsDerivative(product), asSmoothAsDerivative(second.smoothed(grid))];
    });
  }

  #wheels(speeds: readonly Member[], gyros: readonly Member[]): void {
    const side = (wanted: string): Member | undefined =>
      speeds.find(({ role }) => role.kind === 'speed' && role.side === wanted);
    const [left, right] = [side('left'), side('right')];
    const yaw = gyros.find(({ role }) => role.kind === 'gyro' && role.axis === 2);
    if (left === undefined || right === undefined || yaw === undefined) return;
    this.#pair('wheel-yaw', left, yaw, (first, second, grid) => {
      const [a, b] = [first.onGrid(grid), right.track.onGrid(grid)];
      return [a.map((value, at) => (b[at] as number) - value), second.smoothed(grid)];
    });
  }
}

/** Where a path is declared, fields that only have a name like it are what it was read from, or less sure than it. */
function withoutShadows(members: readonly Member[]): readonly Member[] {
  const declared = new Set(members.flatMap(({ signal }) => (signal.isDeclared ? [signal.path] : [])));
  return members.filter(({ signal }) => signal.isDeclared || !declared.has(signal.path));
}

function isPrimary({ role }: Member): boolean {
  return role.kind === 'speed' && role.isPrimary;
}

function valueAgainstValue(first: TrackLike, second: TrackLike, grid: Grid): readonly [Float64Array, Float64Array] {
  return [first.smoothed(grid), second.smoothed(grid)];
}

function rateAgainstValue(first: TrackLike, second: TrackLike, grid: Grid): readonly [Float64Array, Float64Array] {
  return [derivative(first.onGrid(grid), grid.stepNs), asSmoothAsDerivative(second.smoothed(grid))];
}

function valueAgainstRate(first: TrackLike, second: TrackLike, grid: Grid): readonly [Float64Array, Float64Array] {
  return [asSmoothAsDerivative(first.smoothed(grid)), derivative(second.onGrid(grid), grid.stepNs)];
}
