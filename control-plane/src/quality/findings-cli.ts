/** `fleetloop recording findings`: what checks have found over the fleet, and what the recordings that share a finding have in common. */
import { Command } from 'commander';
import { renderTable } from '../api/text-table.ts';
import type { CommandIo } from '../ledger/command-io.ts';
import type { SharedCause } from './shared-cause.ts';
import type { FindingRow } from './findings-catalogue.ts';

type Options = { readonly where?: string; readonly limit?: string; readonly asOf?: string; readonly json?: true };
type Answer = {
  readonly findings: readonly FindingRow[];
  readonly causes: readonly SharedCause[];
  readonly next: string | null;
};

const COLUMNS = ['severity', 'rule', 'topic', 'vehicle', 'softwareVersion', 'session', 'message'] as const;
const CAUSE_COLUMNS = ['rule', 'topic', 'cause', 'value', 'with', 'of', 'share', 'elsewhere', 'lift'] as const;

export function recordingFindingsCommand(io: CommandIo): Command {
  return new Command('findings')
    .description(
      'list what checks found in the recordings of the catalogue, and which vehicle, firmware or time shares it',
    )
    .option('--where <expression>', 'a CEL filter, e.g. \'rule == "imu.gravity-length" && vehicle == "truck-7"\'')
    .option('--limit <number>', 'most findings to list', '100')
    .option('--as-of <sequence or time>', 'as it was at a ledger entry or an RFC 3339 time')
    .option('--json', 'print them as JSON')
    .action(async ({ where, limit, asOf, json }: Options) => {
      const client = await io.client();
      const answer = await client.get<Answer>('/v1/findings', { query: { where, limit, asOf } });
      if (json === true) return io.print(JSON.stringify(answer, null, 2));
      io.print(renderTable(answer.findings as unknown as Readonly<Record<string, unknown>>[], COLUMNS));
      if (answer.causes.length > 0)
        io.print(
          `\nshared causes\n${renderTable(answer.causes as unknown as Readonly<Record<string, unknown>>[], CAUSE_COLUMNS)}`,
        );
    });
}
