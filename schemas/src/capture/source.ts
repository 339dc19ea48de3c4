/** What a source is for the rest of the agent: a description up front, then batches of messages that are pulled. */
import type { McapMetadataRecord } from '../record/recording-metadata.ts';
import type { FileClock } from '../time/utc-clock.ts';
import type { Channel } from './channel.ts';
import type { SessionDescription, SourceMessage } from './source-message.ts';

/** Most messages in one batch; bounds memory between source and consumer. */
export const BATCH_MESSAGES_MAX = 256;
/** Examples of disorder that a report keeps; the counts go on. */
export const DISORDER_EXAMPLES_MAX = 100;
/** Steps back that a report keeps: the largest. */
export const STEPS_BACK_MAX = 64;
/** Dropouts that a report keeps; the count goes on. */
export const DROPOUTS_MAX = 1_000;

/** What is known before the first message. */
export type SourceDescription = SessionDescription & {
  /**
   * Every channel that the mapping names, whether or not the source has values for it, and those that the source declares at its
   * start; a format that declares channels as it goes may show more of them later.
   */
  readonly channels: readonly Channel[];
  /** Files that the session is read from. */
  readonly files: readonly string[];
  /** Columns of the files that no signal and no stamp uses, as `file:column`. */
  readonly unusedColumns: readonly string[];
  /** What was left out for a stated reason, e.g. a DBC declaration that cannot be used. */
  readonly remarks: readonly string[];
  /** Metadata records of the file itself, for a format that has such records. */
  readonly metadata?: readonly McapMetadataRecord[];
};

/** A row whose stamp is not later than the one before it in the same file. Its messages are delivered all the same. */
export type Disorder = {
  readonly kind: 'backwards' | 'repeated';
  readonly file: string;
  /** Line of a text file (header = 1), row of an array or table (from 0), or byte of a recording. */
  readonly row: number;
  readonly byNs: bigint;
};

/** What happened so far; complete when the batches have ended. */
export type SourceReport = {
  readonly rows: number;
  readonly messages: number;
  /** Messages that were not made because the source had no value for any of their signals. */
  readonly emptyMessages: number;
  readonly backwards: number;
  readonly repeated: number;
  readonly examples: readonly Disorder[];
  /** Where log times of one topic go back in the file although its messages are delivered in order; largest first. */
  readonly stepsBack: readonly StepBack[];
  /** Times in which the recorder itself lost messages, as far as its format says so. */
  readonly dropouts: readonly Dropout[];
  /** How the stamps of files with a clock of their own were converted: utc = stamp + offsetNs at the last stamp read. */
  readonly clocks: readonly SourceClock[];
  /** All dropouts, also those over the maximum that the list keeps. */
  readonly dropoutCount: number;
};

/** The message at `toNs` follows the one at `fromNs` of the same topic. */
export type StepBack = { readonly topic: string; readonly fromNs: bigint; readonly toNs: bigint };

/** The clock behind some topics of a source. */
export type SourceClock = {
  readonly topics: readonly string[];
  readonly kind: FileClock['kind'];
  readonly offsetNs: bigint;
  readonly uncertaintyNs: bigint;
};

/** A recorder could not keep up: messages of any of its topics may be missing in the time before `atNs`. */
export type Dropout = { readonly atNs: bigint; readonly durationMs: number };

/** One drive session, read from files. */
export type Source = {
  readonly description: SourceDescription;
  /** Messages in order of time across files (within a file: in the order of the file). Nothing is read before it is pulled. */
  readonly batches: () => AsyncGenerator<readonly SourceMessage[], void, undefined>;
  readonly report: () => SourceReport;
};

/** Counts while a source is read. */
export type ReportCounter = {
  readonly row: (file: string, row: number, timeNs: bigint, previousNs: bigint | undefined) => void;
  readonly stepBack: (step: StepBack) => void;
  readonly messages: (count: number) => void;
  readonly empty: () => void;
  readonly dropout: (dropout: Dropout) => void;
  /** Names the clock of some topics; a later one for the same topics replaces it. */
  readonly clock: (topics: readonly string[], clock: FileClock) => void;
  readonly report: () => SourceReport;
};

/** Makes the counter of one source. */
export function makeReportCounter(): ReportCounter {
  let rows = 0;
  let messages = 0;
  let emptyMessages = 0;
  const counts = { backwards: 0, repeated: 0 };
  const examples: Disorder[] = [];
  const stepsBack: StepBack[] = [];
  const dropouts: Dropout[] = [];
  let dropoutCount = 0;
  const clocks = new Map<string, { readonly topics: readonly string[]; readonly clock: FileClock }>();
  return {
    row: (file, row, timeNs, previousNs) => {
      rows += 1;
      if (previousNs === undefined || timeNs > previousNs) return;
      const kind = timeNs === previousNs ? 'repeated' : 'backwards';
      counts[kind] += 1;
      if (examples.length < DISORDER_EXAMPLES_MAX) examples.push({ kind, file, row, byNs: previousNs - timeNs });
    },
    stepBack: (step) => {
      let at = stepsBack.length;
      while (at > 0 && lengthOfStep(stepsBack[at - 1] as StepBack) < lengthOfStep(step)) at -= 1;
      if (at < STEPS_BACK_MAX) stepsBack.splice(at, 0, step);
      if (stepsBack.length > STEPS_BACK_MAX) stepsBack.pop();
    },
    messages: (count) => {
      messages += count;
    },
    empty: () => {
      emptyMessages += 1;
    },
    dropout: (dropout) => {
      dropoutCount += 1;
      if (dropouts.length < DROPOUTS_MAX) dropouts.push(dropout);
    },
    clock: (topics, clock) => {
      clocks.set(topics.join(' '), { topics, clock });
    },
    report: () => ({
      rows,
      messages,
      emptyMessages,
      ...counts,
      examples: [...examples],
      stepsBack: [...stepsBack],
      dropouts: [...dropouts],
      dropoutCount,
      clocks: [...clocks.values()].map(({ topics, clock }) => ({ topics, kind: clock.kind, ...clock.state() })),
    }),
  };
}

function lengthOfStep({ fromNs, toNs }: StepBack): bigint {
  return fromNs - toNs;
}
