/** Why: a reported window can be recomputed only from a recording that has every sample it was computed from; this finds it. */
import type { FeatureSet } from '@fleetloop/schemas';
import { historyMs, isSessionWindow } from '@fleetloop/schemas/features';
import type { LoggedVector } from './skew-tally.ts';

const NS_PER_MS = 1_000_000n;

export type CoveringRecording = {
  readonly recording: string;
  readonly vehicle: string;
  readonly session: string;
  readonly firmware: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
};

/** Recordings of one session by start; `reachNs[i]` is the latest end of the first i + 1. */
type Timeline = { readonly recordings: readonly CoveringRecording[]; readonly reachNs: readonly bigint[] };

/** Finds the recording for a window: of several the one that starts last, then the larger digest. */
export class Coverage {
  readonly #bySession: ReadonlyMap<string, Timeline>;
  readonly #beforeNs: bigint;
  readonly #afterNs: bigint;

  constructor(featureSet: FeatureSet, recordings: readonly CoveringRecording[]) {
    const bySession = Map.groupBy(recordings, sessionKey);
    this.#bySession = new Map([...bySession].map(([session, own]) => [session, timelineOf(own)]));
    // Samples before a window matter where they are held, and a window closes only once its lateness, or its gap, has passed.
    this.#beforeNs = BigInt(historyMs(featureSet)) * NS_PER_MS;
    const { window } = featureSet;
    this.#afterNs = BigInt((window.latenessMs ?? 0) + (isSessionWindow(window) ? window.gapMs : 0)) * NS_PER_MS;
  }

  find(window: LoggedVector): CoveringRecording | undefined {
    const timeline = this.#bySession.get(sessionKey(window));
    if (timeline === undefined) return undefined;
    const [fromNs, toNs] = [window.windowStartNs - this.#beforeNs, window.windowEndNs + this.#afterNs];
    let index = startedBy(timeline.recordings, fromNs) - 1;
    for (; index >= 0 && (timeline.reachNs[index] as bigint) >= toNs; index -= 1) {
      const recording = timeline.recordings[index] as CoveringRecording;
      if (recording.endNs >= toNs) return recording;
    }
    return undefined;
  }
}

function sessionKey({ vehicle, session }: { readonly vehicle: string; readonly session: string }): string {
  return JSON.stringify([vehicle, session]);
}

function timelineOf(own: readonly CoveringRecording[]): Timeline {
  const recordings = own.toSorted((left, right) =>
    left.startNs === right.startNs
      ? left.recording < right.recording
        ? -1
        : 1
      : left.startNs < right.startNs
        ? -1
        : 1,
  );
  const reachNs: bigint[] = [];
  for (const { endNs } of recordings) {
    const former = reachNs.at(-1);
    reachNs.push(former !== undefined && former > endNs ? former : endNs);
  }
  return { recordings, reachNs };
}

/** How many start at or before an instant. */
function startedBy(recordings: readonly CoveringRecording[], atNs: bigint): number {
  let [low, high] = [0, recordings.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((recordings[middle] as CoveringRecording).startNs <= atNs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What windows are matched by: both bounds, because a session window that was cut elsewhere is another window. */
export function windowKey({
  windowStartNs,
  windowEndNs,
}: {
  readonly windowStartNs: bigint;
  readonly windowEndNs: bigint;
}): string {
  return `${windowStartNs} ${windowEndNs}`;
}
