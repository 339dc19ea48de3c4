/** What the commands about vehicles, campaigns and pulls need beyond what commands need that only ask. */
import type { CommandClient, CommandIo } from '../ledger/command-io.ts';

export interface FleetClient extends CommandClient {
  delete<Result>(
    path: string,
    options?: { readonly query?: Readonly<Record<string, string | number | undefined>> },
  ): Promise<Result>;
}

export type FleetIo = Omit<CommandIo, 'client'> & {
  readonly client: () => Promise<FleetClient>;
  readonly readText: (path: string) => Promise<string>;
};

export type JsonOption = { readonly json?: true };
