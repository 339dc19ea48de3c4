/** What each evaluation of a campaign changes. All campaigns have theirs in one array, so that a message touches little memory. */
import { OUTCOME, type Outcome } from './compiled-test.ts';

export const CELLS_STRIDE = 4;
/** Until when one more evaluation that is false changes nothing but these cells; infinitely long ago when it would change more. */
export const IDLE_UNTIL = 0;
export const LAST = 1;
export const EVALUATIONS = 2;
export const LAST_OUTCOME = 3;

/** The cells of one campaign. Times are session-relative ns. */
export class EvaluationCells {
  #array: Float64Array;
  #place = 0;

  constructor() {
    this.#array = Float64Array.of(Number.NEGATIVE_INFINITY, Number.NaN, 0, OUTCOME.false);
  }

  get idleUntilNs(): number {
    return this.#array[this.#place + IDLE_UNTIL] as number;
  }

  set idleUntilNs(timeNs: number) {
    this.#array[this.#place + IDLE_UNTIL] = timeNs;
  }

  /** NaN before the first evaluation. */
  get lastNs(): number {
    return this.#array[this.#place + LAST] as number;
  }

  set lastNs(timeNs: number) {
    this.#array[this.#place + LAST] = timeNs;
  }

  get evaluations(): number {
    return this.#array[this.#place + EVALUATIONS] as number;
  }

  set evaluations(count: number) {
    this.#array[this.#place + EVALUATIONS] = count;
  }

  get lastOutcome(): Outcome {
    return this.#array[this.#place + LAST_OUTCOME] as Outcome;
  }

  set lastOutcome(outcome: Outcome) {
    this.#array[this.#place + LAST_OUTCOME] = outcome;
  }

  /** They from now on lie there. */
  moveTo(array: Float64Array, place: number): void {
    array.set(this.#array.subarray(this.#place, this.#place + CELLS_STRIDE), place);
    this.#array = array;
    this.#place = place;
  }

  get place(): number {
    return this.#place;
  }
}
