/** `fleetloop vehicle`: the vehicles, what one says of itself, and why it did or did not do something. */
import { FleetError, statusText } from '@fleetloop/schemas';
import { Argument, Command } from 'commander';
import type { FleetIo, JsonOption } from '../api/fleet-io.ts';
import { renderTable } from '../api/text-table.ts';
import type { VehicleView } from './vehicle-routes.ts';

const SUBJECTS = ['campaign', 'event', 'recording'] as const;

export function vehicleCommand(io: FleetIo): Command {
  const command = new Command('vehicle').description('the vehicles of the fleet');
  command
    .command('list')
    .description('list vehicles')
    .option('--as-of <sequence or time>', 'as it was at a ledger entry or an RFC 3339 time')
    .option('--json', 'print them as JSON')
    .action(async ({ asOf, json }: JsonOption & { readonly asOf?: string }) => {
      const client = await io.client();
      const answer = await client.get<{ vehicles: readonly VehicleView[] }>('/v1/vehicles', { query: { asOf } });
      const columns = ['vehicleId', 'state', 'hardwareRevision', 'softwareVersion', 'place', 'expiresAt'];
      io.print(json === true ? JSON.stringify(answer, null, 2) : renderTable(answer.vehicles, columns));
    });
  command
    .command('status <vehicle>')
    .description('ask a vehicle how it is')
    .option('--json', 'print all that it says, on one line')
    .action(async (vehicle: string, { json }: JsonOption) => explain(io, { vehicle, what: 'status' }, json));
  command
    .command('why <vehicle>')
    .description('ask a vehicle why it did or did not capture or upload something')
    .addArgument(new Argument('<kind>', 'what the question is about').choices([...SUBJECTS]))
    .argument('<id>', 'id of the campaign or event, or digest of the recording')
    .option('--json', 'print the answer on one line')
    .action(async (vehicle: string, kind: string, id: string, { json }: JsonOption) =>
      explain(io, { vehicle, what: `${kind}/${id}` }, json),
    );
  command
    .command('revoke <vehicle>')
    .description('take nothing from a vehicle any more, and cut its connection where the server can be told')
    .requiredOption('--reason <text>', 'why, for the ledger')
    .option('--json', 'print the answer as JSON')
    .action(async (vehicle: string, { reason, json }: JsonOption & { readonly reason: string }) => {
      const answer = await (await io.client()).post<{ isCut: boolean }>(`${pathOf(vehicle)}/revoke`, { reason });
      const cut = answer.isCut ? 'and its connection is cut' : 'its connection stays: the server cannot be told';
      io.print(json === true ? JSON.stringify(answer, null, 2) : `${vehicle} is revoked, ${cut}`);
    });
  return command;
}

async function explain(
  io: FleetIo,
  question: { readonly vehicle: string; readonly what: string },
  json: true | undefined,
): Promise<void> {
  const { vehicle, what } = question;
  const client = await io.client();
  try {
    const answer = await client.get<{ answer: unknown }>(`${pathOf(vehicle)}/explain`, { query: { what } });
    io.print(json === true ? JSON.stringify(answer.answer) : textOf(answer.answer));
  } catch (error) {
    if (!(error instanceof FleetError) || error.code !== 'AGENT_UNREACHABLE') throw error;
    const { reportedAt, reported } = error.details;
    if (typeof reported !== 'string') throw error;
    const last = JSON.parse(reported) as unknown;
    io.print(JSON.stringify({ isReachable: false, reportedAt, reported: last }, null, json === true ? undefined : 2));
    throw error;
  }
}

/** A status as the agent itself shows it, the conclusion where the vehicle has drawn one, else all that it says. */
function textOf(answer: unknown): string {
  const status = statusText(answer);
  if (status !== undefined) return status.trimEnd();
  const drawn = typeof answer === 'object' && answer !== null && 'conclusion' in answer ? answer.conclusion : undefined;
  return Array.isArray(drawn) ? drawn.map(String).join('\n') : JSON.stringify(answer, null, 2);
}

const pathOf = (vehicle: string): string => `/v1/vehicles/${encodeURIComponent(vehicle)}`;
