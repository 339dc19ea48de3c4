/** What a source is for the rest of the agent: a description up front, then batches of messages that are pulled. */
import type { Channel } from './channel.ts';
import type { SessionDescription, SourceMessage } from './source-message.ts';

/** Most messages in one batch; bounds memory between source and consumer. */
export const BATCH_MESSAGES_MAX = 256;
/** Examples of disorder that a report keeps; the counts go on. */
export const DISORDER_EXAMPLES_MAX = 100;

/** What is known before the first message. */
export type SourceDescription = SessionDescription & {
  /** Every channel that the mapping names, whether or not the source has values for it. */
  readonly channels: readonly Channel[];
  /** Files that the session is read from. */
  readonly files: readonly string[];
  /** Columns of the files that no signal and no stamp uses, as `file:column`. */
  readonly unusedColumns: readonly string[];
  /** What was left out for a stated reason, e.g. a DBC declaration that cannot be used. */
  readonly remarks: readonly string[];
};

/** A row whose stamp is not later than the one before it in the same file. Its messages are delivered all the same. */
export type Disorder = {
  readonly kind: 'backwards' | 'repeated';
  readonly file: string;
  /** Line of a CSV file (header = 1) or row of an array (from 0). */
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
};

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
  readonly messages: (count: number) => void;
  readonly empty: () => void;
  readonly report: () => SourceReport;
};

/** Makes the counter of one source. */
export function makeReportCounter(): ReportCounter {
  let rows = 0;
  let messages = 0;
  let emptyMessages = 0;
  const counts = { backwards: 0, repeated: 0 };
  const examples: Disorder[] = [];
  return {
    row: (file, row, timeNs, previousNs) => {
      rows += 1;
      if (previousNs === undefined || timeNs > previousNs) return;
      const kind = timeNs === previousNs ? 'repeated' : 'backwards';
      counts[kind] += 1;
      if (examples.length < DISORDER_EXAMPLES_MAX) examples.push({ kind, file, row, byNs: previousNs - timeNs });
    },
    messages: (count) => {
      messages += count;
    },
    empty: () => {
      emptyMessages += 1;
    },
    report: () => ({ rows, messages, emptyMessages, ...counts, examples: [...examples] }),
  };
}
