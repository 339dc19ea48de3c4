/** A series derived over channels of different rates: a value at each sample of its first part, from the newest samples of the others. */
import { combineSamples, usable } from './channel-binding.ts';
import type { DerivedSeries } from './feature-definition.ts';
import { AsOfCursor } from './relation-transforms.ts';
import { SeriesWindow } from './series-window.ts';

/** Fills its window from the windows of its parts. O(samples); it keeps its memory from window to window. */
export class AlignedSeries {
  readonly window = new SeriesWindow();
  readonly #kind: DerivedSeries['kind'];
  readonly #parts: readonly SeriesWindow[];
  readonly #cursors: readonly AsOfCursor[];

  constructor(derived: DerivedSeries, ageMsMax: number, parts: readonly SeriesWindow[]) {
    this.#kind = derived.kind;
    this.#parts = parts;
    this.#cursors = parts.map(() => new AsOfCursor(ageMsMax));
  }

  align(): void {
    const first = this.#parts[0] as SeriesWindow;
    const { window } = this;
    if (window.values.length < first.count) {
      window.times = new Float64Array(first.count * 2);
      window.values = new Float64Array(first.count * 2);
    }
    this.#parts.forEach((part, index) => (this.#cursors[index] as AsOfCursor).start(part));
    window.to = 0;
    for (let index = first.from + first.held; index < first.to; index += 1) {
      const value = this.#valueAt(first.times[index] as number, first.arrivals[index] as number);
      if (Number.isNaN(value)) continue;
      window.times[window.to] = first.times[index] as number;
      window.values[window.to] = value;
      window.to += 1;
    }
  }

  /** At a sample of the first part the newest sample of that part is the sample itself. */
  #valueAt(timeNs: number, arrival: number): number {
    const first = (this.#cursors[0] as AsOfCursor).valueAt(timeNs, arrival);
    if (this.#kind !== 'norm') {
      return combineSamples(this.#kind, first, (this.#cursors[1] as AsOfCursor).valueAt(timeNs, arrival));
    }
    let sum = first * first;
    for (let index = 1; index < this.#cursors.length; index += 1) {
      const value = (this.#cursors[index] as AsOfCursor).valueAt(timeNs, arrival);
      sum += value * value;
    }
    return usable(Math.sqrt(sum));
  }
}
