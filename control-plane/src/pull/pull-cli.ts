/** `fleetloop pull`: ask a vehicle for a stored time range. */
import { Command, Option } from 'commander';
import { PRIORITIES } from '@fleetloop/schemas';
import type { FleetIo, JsonOption } from '../api/fleet-io.ts';
import { renderTable } from '../api/text-table.ts';
import type { PullView } from './pull-desk.ts';

type RequestOptions = JsonOption & {
  readonly from: string;
  readonly to: string;
  readonly topic?: readonly string[];
  readonly priority: string;
  readonly reason: string;
};

export function pullCommand(io: FleetIo): Command {
  const command = new Command('pull').description('stored time ranges that vehicles are asked for');
  command
    .command('request <vehicle>')
    .description('ask a vehicle for what it has stored of a time range')
    .requiredOption('--from <time>', 'RFC 3339, or nanoseconds since the Unix epoch')
    .requiredOption('--to <time>', 'RFC 3339, or nanoseconds since the Unix epoch')
    .option('--topic <topic...>', 'topics to keep (default: all)')
    .addOption(new Option('--priority <priority>', 'when to upload it').choices([...PRIORITIES]).default('normal'))
    .requiredOption('--reason <text>', 'why, for the ledger')
    .option('--json', 'print the answer as JSON')
    .action(async (vehicle: string, { from, to, topic, priority, reason, json }: RequestOptions) => {
      const body = {
        ...moment('from', from),
        ...moment('to', to),
        priority,
        reason,
        ...(topic === undefined ? {} : { topics: topic }),
      };
      const answer = await (await io.client()).post<{ pullId: string }>(pathOf(vehicle), body);
      io.print(json === true ? JSON.stringify(answer, null, 2) : `asked: ${answer.pullId}`);
    });
  command
    .command('list <vehicle>')
    .description('list what was asked of a vehicle and what became of it')
    .option('--json', 'print them as JSON')
    .action(async (vehicle: string, { json }: JsonOption) => {
      const answer = await (await io.client()).get<{ pulls: readonly PullView[] }>(pathOf(vehicle));
      if (json === true) return io.print(JSON.stringify(answer, null, 2));
      const rows = answer.pulls.map((pull) => ({
        ...pull,
        recordings: pull.recordings.length,
        from: pull.request.fromNs,
        to: pull.request.toNs,
      }));
      io.print(renderTable(rows, ['pullId', 'state', 'requestedAt', 'from', 'to', 'recordings', 'code', 'reason']));
    });
  command
    .command('cancel <vehicle> <pull>')
    .description('cancel a pull')
    .option('--reason <text>', 'why, for the ledger')
    .option('--json', 'print the answer as JSON')
    .action(async (vehicle: string, pull: string, { reason, json }: JsonOption & { readonly reason?: string }) => {
      const path = `${pathOf(vehicle)}/${encodeURIComponent(pull)}`;
      const answer = await (await io.client()).delete<PullView>(path, { query: { reason } });
      io.print(json === true ? JSON.stringify(answer, null, 2) : `${pull}: ${answer.state}`);
    });
  return command;
}

const pathOf = (vehicle: string): string => `/v1/vehicles/${encodeURIComponent(vehicle)}/pulls`;

/** Digits alone are nanoseconds. */
function moment(name: 'from' | 'to', text: string): object {
  return /^\d+$/.test(text) ? { [`${name}Ns`]: text } : { [name]: text };
}
