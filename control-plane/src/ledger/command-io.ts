/** Why: what a command of the command line needs from whoever runs it, so that it can be tested without a terminal. */
import type { EntryChecks } from './entry-checks.ts';

export interface CommandClient {
  get<Result>(
    path: string,
    options?: { readonly query?: Readonly<Record<string, string | number | undefined>> },
  ): Promise<Result>;
  post<Result>(path: string, body: unknown): Promise<Result>;
}

export type CommandIo = {
  /** A client of the API that the user's options and environment name. */
  readonly client: () => Promise<CommandClient>;
  /** Writes one line, or several, to standard output. */
  readonly print: (text: string) => void;
  /** Progress for the person who waits; not part of the answer. */
  readonly progress?: (line: string) => void;
  /** Ends the command with exit code 1 after what it printed: it ran, and the answer is no. */
  readonly answerNo: () => void;
  /** Aborted when the user ends the command. */
  readonly interruption?: () => AbortSignal;
  /** Who checks the entries of a ledger; `resources` ends it. Without it they are checked on this thread. */
  readonly entryChecks?: (resources: AsyncDisposableStack) => Promise<EntryChecks>;
};
