/** `fleetloop recording quarantine` and `release`: what was kept out and why, and the decision to take it in after all. */
import { Command } from 'commander';
import { renderTable } from '../api/text-table.ts';
import type { CommandIo } from '../ledger/command-io.ts';
import type { Quarantined } from './quarantine-routes.ts';

type ListOptions = { readonly limit?: string; readonly after?: string; readonly asOf?: string; readonly json?: true };
type ReleaseOptions = { readonly reason: string; readonly json?: true };
type Released = { readonly recording: string; readonly sequence: number; readonly isNew: boolean };

const COLUMNS = ['recording', 'vehicleId', 'source', 'code', 'at', 'releasedBy', 'message'] as const;

export function quarantineCommands(io: CommandIo): readonly Command[] {
  const list = new Command('quarantine')
    .description('list the recordings that were kept out, why, and who released which')
    .option('--limit <number>', 'most to list', '100')
    .option('--after <sequence>', 'go on behind this ledger entry')
    .option('--as-of <sequence or time>', 'as it was at a ledger entry or an RFC 3339 time')
    .option('--json', 'print them as JSON')
    .action(async ({ json, ...query }: ListOptions) => {
      const client = await io.client();
      const answer = await client.get<{ quarantined: readonly Quarantined[] }>('/v1/quarantine', { query });
      if (json === true) return io.print(JSON.stringify(answer, null, 2));
      const rows = answer.quarantined.map(({ released, ...rest }) => ({ ...rest, releasedBy: released?.actor ?? '' }));
      io.print(renderTable(rows, COLUMNS));
    });
  const release = new Command('release')
    .description(
      'take a recording in that breaks the standard; its findings stay with it, and the ledger says who and why',
    )
    .argument('<recording>', 'its digest')
    .requiredOption('--reason <text>', 'why it may be used nevertheless')
    .option('--json', 'print the answer as JSON')
    .action(async (recording: string, { reason, json }: ReleaseOptions) => {
      const client = await io.client();
      const path = `/v1/recordings/${encodeURIComponent(recording)}/release`;
      const answer = await client.post<Released>(path, { reason });
      if (json === true) return io.print(JSON.stringify(answer, null, 2));
      const { sequence, isNew } = answer;
      io.print(isNew ? `released as ledger entry ${sequence}` : `in the catalogue before, as ledger entry ${sequence}`);
    });
  return [list, release];
}
