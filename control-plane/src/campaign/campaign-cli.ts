/** `fleetloop campaign`: test a campaign here, push it to vehicles, and see what became of it. */
import { type Campaign, FleetError, parseCampaign } from '@fleetloop/schemas';
import { type CampaignTestResult, compileCampaign, runCampaignTests } from '@fleetloop/schemas/trigger';
import { Command } from 'commander';
import type { FleetIo, JsonOption } from '../api/fleet-io.ts';
import { renderTable } from '../api/text-table.ts';
import type { CampaignView } from './campaign-progress.ts';

type PushOptions = JsonOption & { readonly vehicle: readonly string[]; readonly brief?: string };
type EndOptions = JsonOption & { readonly reason: string };
type ListedCampaign = { readonly campaign: Campaign; readonly vehicles: readonly string[]; readonly at: string };

export function campaignCommand(io: FleetIo): Command {
  const command = new Command('campaign').description('campaigns: which moments vehicles keep');
  command
    .command('test <file>')
    .description('compile a campaign and run its own tests, without any server')
    .option('--json', 'print the results as JSON')
    .action(async (file: string, options: JsonOption) => testFile(io, file, options));
  command
    .command('push <file>')
    .description('test a campaign and push it to vehicles')
    .requiredOption('--vehicle <id...>', 'the vehicles that get it')
    .option('--brief <id>', 'the data brief that asks for it')
    .option('--json', 'print the answer as JSON')
    .action(async (file: string, { vehicle, brief, json }: PushOptions) => {
      const campaign = await readCampaign(io, file);
      const body = { campaign, vehicles: vehicle, ...(brief === undefined ? {} : { brief }) };
      const answer = await (await io.client()).post<{ digest: string; sequence: number }>('/v1/campaigns', body);
      io.print(
        json === true
          ? JSON.stringify(answer, null, 2)
          : `${campaign.id}@${campaign.version} is in the desired state of ${vehicle.length} vehicles (ledger entry ${answer.sequence})`,
      );
    });
  addReading(command, io);
  addChanging(command, io);
  return command;
}

/** What only asks. */
function addReading(command: Command, io: FleetIo): void {
  command
    .command('list')
    .description('list campaigns')
    .option('--as-of <sequence or time>', 'as it was at a ledger entry or an RFC 3339 time')
    .option('--json', 'print them as JSON')
    .action(async ({ asOf, json }: JsonOption & { readonly asOf?: string }) => {
      const client = await io.client();
      const answer = await client.get<{ campaigns: readonly ListedCampaign[] }>('/v1/campaigns', { query: { asOf } });
      if (json === true) return io.print(JSON.stringify(answer, null, 2));
      const rows = answer.campaigns.map(({ campaign, vehicles, at }) => ({
        campaign: campaign.id,
        version: campaign.version,
        priority: campaign.priority,
        suspended: campaign.suspended === true ? 'yes' : '',
        vehicles: vehicles.length,
        at,
      }));
      io.print(renderTable(rows, ['campaign', 'version', 'priority', 'suspended', 'vehicles', 'at']));
    });
  command
    .command('show <campaign>')
    .description('show a campaign and what each vehicle says of it')
    .option('--json', 'print it as JSON')
    .action(async (id: string, { json }: JsonOption) => {
      const view = await (await io.client()).get<CampaignView>(`/v1/campaigns/${encodeURIComponent(id)}`);
      io.print(json === true ? JSON.stringify(view, null, 2) : describe(view));
    });
}

/** What changes a campaign that is on vehicles already. */
function addChanging(command: Command, io: FleetIo): void {
  command
    .command('end <campaign>')
    .description('take a campaign back from its vehicles; what it captured stays')
    .requiredOption('--reason <text>', 'why, for the ledger')
    .option('--json', 'print the answer as JSON')
    .action(async (id: string, { reason, json }: EndOptions) => {
      const answer = await (await io.client()).post<object>(`/v1/campaigns/${encodeURIComponent(id)}/end`, { reason });
      io.print(json === true ? JSON.stringify(answer, null, 2) : `${id} is ended`);
    });
  for (const [verb, meaning] of [
    ['suspend', 'let a campaign rest on its vehicles'],
    ['resume', 'let a suspended campaign go on'],
  ] as const) {
    command
      .command(`${verb} <campaign>`)
      .description(meaning)
      .option('--json', 'print the answer as JSON')
      .action(async (id: string, { json }: JsonOption) => {
        const answer = await (await io.client()).post<object>(`/v1/campaigns/${encodeURIComponent(id)}/${verb}`, {});
        io.print(json === true ? JSON.stringify(answer, null, 2) : `${id}: ${verb} is pushed`);
      });
  }
}

async function testFile(io: FleetIo, file: string, { json }: JsonOption): Promise<void> {
  const campaign = await readCampaign(io, file);
  compileCampaign(campaign, {});
  const tests = runCampaignTests(campaign, {});
  const failed = tests.filter(({ isPassed }) => !isPassed).length;
  if (json === true) io.print(JSON.stringify({ campaign: campaign.id, version: campaign.version, tests }, null, 2));
  else
    io.print(
      `${renderTests(tests)}\n${campaign.id}@${campaign.version}: ${tests.length - failed} of ${tests.length} tests pass`,
    );
  if (failed > 0) io.answerNo();
}

function renderTests(tests: readonly CampaignTestResult[]): string {
  const rows = tests.map(({ name, isPassed, expectedFireMs, actualFireMs }) => ({
    test: name,
    result: isPassed ? 'passed' : 'failed',
    'expected ms': expectedFireMs.join(' '),
    'actual ms': actualFireMs.join(' '),
  }));
  return renderTable(rows, ['test', 'result', 'expected ms', 'actual ms']);
}

/** @throws FleetError SOURCE_NOT_FOUND, CAMPAIGN_INVALID */
async function readCampaign(io: FleetIo, file: string): Promise<Campaign> {
  const text = await io.readText(file);
  try {
    return parseCampaign(JSON.parse(text));
  } catch (cause) {
    if (cause instanceof FleetError) throw cause;
    throw new FleetError('CAMPAIGN_INVALID', `${file} is not JSON`, { cause });
  }
}

function describe({ campaign, actor, at, ended, vehicles }: CampaignView): string {
  const lines = [
    `${campaign.id}@${campaign.version}  ${campaign.priority}  published by ${actor} at ${at}`,
    `condition: ${campaign.condition}`,
    ...(ended === null ? [] : [`ended by ${ended.actor} at ${ended.at}: ${ended.reason}`]),
    renderTable(vehicles, ['vehicleId', 'state', 'code', 'reason', 'reportedAt']),
  ];
  return lines.join('\n');
}
