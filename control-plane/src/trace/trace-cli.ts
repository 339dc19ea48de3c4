/** Why: `fleetloop trace`: an auditor starts from any one thing and walks to all it was made from and all that came of it. */
import { Command, Option } from 'commander';
import type { CommandIo } from '../ledger/command-io.ts';
import { type Trace, TRACE_DIRECTIONS, type TraceDirection } from './trace.ts';
import { renderTree } from './trace-tree.ts';

type TraceOptions = {
  readonly direction: TraceDirection;
  readonly asOf?: string;
  readonly json?: true;
  readonly every?: true;
};

/** The command `trace <id>`. */
export function traceCommand(io: CommandIo): Command {
  return new Command('trace')
    .description(
      'show the lineage of an event, recording, inference, anomaly, model, dataset, rollout or anything else',
    )
    .argument(
      '<id>',
      'a node such as anomaly:an-1, model:terrain@3, dataset:terrain/v2, a digest, or the beginning of one',
    )
    .addOption(
      new Option('--direction <direction>', 'down: what it was made from; up: what came of it')
        .choices([...TRACE_DIRECTIONS])
        .default('both'),
    )
    .option('--as-of <sequence or time>', 'as it was at a ledger entry or an RFC 3339 time')
    .option('--every', 'draw every node, however many are alike')
    .option('--json', 'print nodes and edges as JSON')
    .action(async (id: string, options: TraceOptions) => {
      const client = await io.client();
      const path = `/v1/trace/${id.split('/').map(encodeURIComponent).join('/')}`;
      const trace = await client.get<Trace>(path, { query: { direction: options.direction, asOf: options.asOf } });
      io.print(
        options.json === true ? JSON.stringify(trace, null, 2) : renderTree(trace, { every: options.every === true }),
      );
    });
}
