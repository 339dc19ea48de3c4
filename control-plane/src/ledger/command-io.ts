/** Why: what a command of the command line needs from whoever runs it, so that it can be tested without a terminal. */
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
  /** Ends the command with exit code 1 after what it printed: it ran, and the answer is no. */
  readonly answerNo: () => void;
};
