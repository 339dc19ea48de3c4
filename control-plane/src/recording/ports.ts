/** What the commands on recording files need from the outside: files, and a place to print that can be slow. */
import type { McapBytes, McapSink } from '@fleetloop/schemas/recording';
import type { CommandIo } from '../ledger/command-io.ts';

export type RecordingFile = McapBytes & AsyncDisposable;

/** A file that comes into being with `finish`, or not at all. */
export interface RecordingOutput extends McapSink {
  finish(): Promise<void>;
  /** Leaves nothing behind. */
  abandon(): Promise<void>;
}

export type RecordingIo = CommandIo & {
  readonly openRecording: (path: string) => Promise<RecordingFile>;
  readonly createOutput: (path: string) => Promise<RecordingOutput>;
  /** Writes a line and resolves when there is room for the next: output may be longer than memory. */
  readonly printSlowly: (text: string) => Promise<void>;
  /** Progress for the person who waits; not part of the answer. */
  readonly progress: (line: string) => void;
  /** Fires when the person who called wants it to end. */
  readonly interruption: () => AbortSignal;
};
