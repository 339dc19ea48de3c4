/**
 * A sliding window over samples in constant time per sample, without ever subtracting what leaves: two stacks, of which the older holds
 * the aggregate of each sample with all younger ones of that stack. So nothing drifts, and a huge value is forgotten when it has left.
 */

/** Samples that a window keeps one by one when no rate is declared; with more it keeps aggregates of short spans. */
export const WINDOW_ENTRIES_DEFAULT = 1_024;
/** Most samples that one window keeps one by one. */
export const WINDOW_ENTRIES_MAX = 4_096;
/** Spans per window when there are more samples than entries: the window then reaches back by up to this share of its length more. */
export const WINDOW_SPANS = 512;
const ENTRIES_AT_START = 32;

/** What a window holds, for the question why a condition was or was not true. */
export type WindowContents = {
  readonly samples: number;
  /** Session-relative times of the oldest and the newest sample, ns; absent when empty. */
  readonly fromNs?: number;
  readonly toNs?: number;
  /** How much farther than asked the window reaches back, at most; 0 when every sample is kept. */
  readonly resolutionNs: number;
};

/** A statistic over (now - length, now]. Times are session-relative ns and never go back: an earlier sample counts as the newest time. */
export interface SlidingWindow {
  /** The earliest time at which something leaves; infinite when empty. */
  readonly expiresNs: number;
  push(timeNs: number, value: number): void;
  /** Pushes the samples [from, to). */
  pushRun(timesNs: Float64Array, values: Float64Array, from: number, to: number): void;
  /** Drops what has left at `nowNs`. */
  expire(nowNs: number): void;
  /** The same at the time that lies in `clock`; whether something left. */
  expireAt(clock: Float64Array): boolean;
  /** The statistic, or NaN when there are too few samples. */
  read(): number;
  /** The same, laid into a place of `cells`. */
  readInto(cells: Float64Array, place: number): void;
  contents(): WindowContents;
  clear(): void;
}

/**
 * What changes with each sample lies before the entries: a number with a fraction that is a field of an object has a place of its own in
 * memory, and fetching many such places costs more than the arithmetic.
 */
const EXPIRES = 0;
const LENGTH = 1;
/** For `#dropOld`. */
const PRESENT = 2;
const SPAN = 3;
/** Two numbers of the statistic, of the whole younger stack. */
export const YOUNG_FIRST = 4;
export const YOUNG_SECOND = 5;
const HEADER = 8;

/** An entry is four numbers side by side, so that one is one cache line: there are hundreds of windows, and each is visited in turn. */
const STRIDE = 4;
/** Time of the newest sample of the entry. */
const TIME = 0;
const COUNT = 1;
/** Two numbers of the statistic: of the entry itself in the younger stack, of it and all after it in the older one. */
export const FIRST = 2;
export const SECOND = 3;

/** Mutable and free of allocation per sample: this runs for every value of every watched signal. Places are offsets of entries. */
export abstract class TwoStackWindow implements SlidingWindow {
  readonly #sizeMax: number;
  /** After the header entries in order of time; [head, middle) is the older stack, [middle, tail) the younger. */
  protected entries = new Float64Array(HEADER + ENTRIES_AT_START * STRIDE);
  protected head = HEADER;
  protected middle = HEADER;
  #tail = HEADER;
  protected samples = 0;
  /** Samples in the younger stack. */
  protected youngSamples = 0;

  constructor(lengthNs: number, entriesMax: number) {
    this.entries[EXPIRES] = Number.POSITIVE_INFINITY;
    this.entries[LENGTH] = lengthNs;
    this.#sizeMax = HEADER + entriesMax * STRIDE;
  }

  abstract readInto(cells: Float64Array, place: number): void;
  /** The entry has its sample in FIRST; `addYoung` makes it whole and takes it into the aggregate of the younger stack. */
  protected abstract addYoung(place: number): void;
  /** An entry takes up another one that is younger, with `count` samples here and `added` there. */
  protected abstract mergeEntry(into: number, from: number, count: number, added: number): void;

  get expiresNs(): number {
    return this.entries[EXPIRES] as number;
  }

  read(): number {
    const cells = new Float64Array(1);
    this.readInto(cells, 0);
    return cells[0] as number;
  }

  push(timeNs: number, value: number): void {
    this.pushRun(Float64Array.of(timeNs), Float64Array.of(value), 0, 1);
  }

  /** Hands no number with a fraction from function to function: without the larger compiler each would be allocated. */
  pushRun(timesNs: Float64Array, values: Float64Array, from: number, to: number): void {
    for (let at = from; at < to; at += 1) {
      let atNs = timesNs[at] as number;
      if (this.#tail > this.head) {
        const newestNs = this.entries[this.#tail - STRIDE + TIME] as number;
        if (atNs < newestNs) atNs = newestNs;
      }
      if ((this.entries[EXPIRES] as number) <= atNs) {
        this.entries[PRESENT] = atNs;
        this.#dropOld();
      }
      if (this.#tail === this.entries.length) this.#makeRoom();
      const { entries } = this;
      const place = this.#tail;
      entries[place + TIME] = atNs;
      entries[place + COUNT] = 1;
      entries[place + FIRST] = values[at] as number;
      this.addYoung(place);
      this.#tail = place + STRIDE;
      if (entries[SPAN] !== 0 && this.#isSameSpan(place - STRIDE, place)) this.#foldLast();
      this.youngSamples += 1;
      this.samples += 1;
      entries[EXPIRES] = (entries[this.head + TIME] as number) + (entries[LENGTH] as number);
    }
  }

  expire(nowNs: number): void {
    this.expireAt(Float64Array.of(nowNs));
  }

  expireAt(clock: Float64Array): boolean {
    const { entries } = this;
    const nowNs = clock[0] as number;
    if (!((entries[EXPIRES] as number) <= nowNs)) return false;
    entries[PRESENT] = nowNs;
    this.#dropOld();
    return true;
  }

  contents(): WindowContents {
    const { samples } = this;
    const resolutionNs = this.entries[SPAN] as number;
    if (samples === 0) return { samples, resolutionNs };
    return { samples, fromNs: this.#timeAt(this.head), toNs: this.#timeAt(this.#tail - STRIDE), resolutionNs };
  }

  clear(): void {
    this.#empty();
    this.entries[SPAN] = 0;
  }

  /** The window is not empty. */
  #dropOld(): void {
    const { entries } = this;
    const untilNs = (entries[PRESENT] as number) - (entries[LENGTH] as number);
    if ((entries[this.#tail - STRIDE + TIME] as number) <= untilNs) return this.#empty();
    while ((entries[this.head + TIME] as number) <= untilNs) {
      if (this.head === this.middle) this.#stackUp();
      this.samples -= this.#countAt(this.head);
      this.head += STRIDE;
    }
    entries[EXPIRES] = (entries[this.head + TIME] as number) + (entries[LENGTH] as number);
  }

  #timeAt(place: number): number {
    return this.entries[place + TIME] as number;
  }

  /** As a small integer: a field that once held another number has a place of its own. */
  #countAt(place: number): number {
    return (this.entries[place + COUNT] as number) >>> 0;
  }

  #empty(): void {
    this.head = HEADER;
    this.middle = HEADER;
    this.#tail = HEADER;
    this.samples = 0;
    this.youngSamples = 0;
    this.entries[EXPIRES] = Number.POSITIVE_INFINITY;
  }

  /** All entries become the older stack: each the aggregate of itself with all after it. */
  #stackUp(): void {
    const tail = this.#tail;
    let count = this.#countAt(tail - STRIDE);
    for (let place = tail - 2 * STRIDE; place >= this.head; place -= STRIDE) {
      const own = this.#countAt(place);
      this.mergeEntry(place, place + STRIDE, own, count);
      count += own;
    }
    this.middle = tail;
    this.youngSamples = 0;
  }

  #isSameSpan(older: number, younger: number): boolean {
    return older >= this.middle && this.#spanAt(older) === this.#spanAt(younger);
  }

  #spanAt(place: number): number {
    return Math.floor(this.#timeAt(place) / (this.entries[SPAN] as number));
  }

  /** The last entry becomes part of the one before it. */
  #foldLast(): void {
    const from = this.#tail - STRIDE;
    this.#fold(from - STRIDE, from, true);
    this.#tail = from;
  }

  /** `isYoung`: in the older stack the first of a span already speaks for all after it. */
  #fold(into: number, from: number, isYoung: boolean): void {
    const [count, added] = [this.#countAt(into), this.#countAt(from)];
    if (isYoung) this.mergeEntry(into, from, count, added);
    this.entries[into + COUNT] = count + added;
    this.entries[into + TIME] = this.#timeAt(from);
  }

  #makeRoom(): void {
    const size = this.entries.length;
    const left = this.head - HEADER;
    if (left * 2 >= size - HEADER || (size === this.#sizeMax && left > 0)) return this.#moveToFront();
    if (size < this.#sizeMax) {
      const grown = new Float64Array(Math.min(2 * size - HEADER, this.#sizeMax));
      grown.set(this.entries);
      this.entries = grown;
      return;
    }
    this.entries[SPAN] = (this.entries[LENGTH] as number) / WINDOW_SPANS;
    this.#coarsen();
  }

  #moveToFront(): void {
    const left = this.head - HEADER;
    this.entries.copyWithin(HEADER, this.head, this.#tail);
    this.head = HEADER;
    this.middle -= left;
    this.#tail -= left;
  }

  /** Joins the entries of one span, within each stack; the window begins at the front, as it is full. */
  #coarsen(): void {
    const [tail, middle] = [this.#tail, this.middle];
    let kept = HEADER - STRIDE;
    for (let place = HEADER; place < tail; place += STRIDE) {
      const isYoung = place >= middle;
      const isFirst = place === HEADER || place === middle;
      if (!isFirst && this.#spanAt(place) === this.#spanAt(kept)) {
        this.#fold(kept, place, isYoung);
      } else {
        kept += STRIDE;
        this.entries.copyWithin(kept, place, place + STRIDE);
      }
      if (!isYoung) this.middle = kept + STRIDE;
    }
    this.#tail = kept + STRIDE;
  }
}
