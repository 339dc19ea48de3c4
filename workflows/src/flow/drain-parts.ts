/**
 * Why: long work is many parts that fail and finish on their own. This is the bookkeeping of it, apart from Temporal, so that
 * it can be tested with any order of endings: bounded concurrency, failures kept by part, and a stop at any point that loses
 * nothing which has finished.
 */
import type { FailureReason } from './failure.ts';

export type FinishedPart<Result> = { readonly part: number; readonly result: Result };
export type FailedPart = { readonly part: number; readonly reason: FailureReason };

/** What has become of the parts so far, by their position. Small enough to travel in one payload. */
export type PartsState<Result> = {
  readonly finished: readonly FinishedPart<Result>[];
  readonly failed: readonly FailedPart[];
};

export type PartsProgress = {
  readonly total: number;
  readonly finished: number;
  readonly failed: number;
  readonly running: number;
};

export type DrainOptions<Part, Result> = {
  /** Parts that are worked on at once. */
  readonly concurrency: number;
  /** No further part is started once this is true, except the first, so that each run gets on; those that run are waited for. */
  readonly isFull: () => boolean;
  /** Parts that may fail before no further one is started. */
  readonly failuresMax: number;
  readonly work: (part: Part, index: number) => Promise<Result>;
  /** The reason of a failure of this part alone; undefined when the whole work is to end with what was thrown. */
  readonly reasonOf: (thrown: unknown) => FailureReason | undefined;
  readonly onProgress: (progress: PartsProgress) => void;
};

/**
 * Works on the parts that `state` neither finished nor failed, in order, until all have ended or `isFull`.
 * @throws what a part threw when it is no failure of that part, after the running parts have ended
 */
export async function drainParts<Part, Result>(
  parts: readonly Part[],
  state: PartsState<Result>,
  options: DrainOptions<Part, Result>,
): Promise<PartsState<Result>> {
  const finished = [...state.finished];
  const failed = [...state.failed];
  const ended = new Set([...finished, ...failed].map(({ part }) => part));
  const waiting = parts.map((_, index) => index).filter((index) => !ended.has(index));
  let started = 0;
  let running = 0;
  let stopped: { readonly thrown: unknown } | undefined;
  const report = (): void =>
    options.onProgress({ total: parts.length, finished: finished.length, failed: failed.length, running });
  const mayStart = (): boolean =>
    stopped === undefined && failed.length < options.failuresMax && (started === 0 || !options.isFull());
  const worker = async (): Promise<void> => {
    while (mayStart()) {
      const part = waiting.shift();
      if (part === undefined) return;
      started += 1;
      running += 1;
      report();
      try {
        finished.push({ part, result: await options.work(parts[part] as Part, part) });
      } catch (thrown) {
        const reason = options.reasonOf(thrown);
        if (reason === undefined) stopped ??= { thrown };
        else failed.push({ part, reason });
      }
      running -= 1;
      report();
    }
  };
  report();
  await Promise.all(Array.from({ length: Math.min(options.concurrency, waiting.length) }, worker));
  if (stopped !== undefined) throw stopped.thrown;
  return { finished: finished.toSorted(byPart), failed: failed.toSorted(byPart) };
}

export const NO_PARTS_YET: PartsState<never> = { finished: [], failed: [] };

const byPart = (left: { readonly part: number }, right: { readonly part: number }): number => left.part - right.part;
