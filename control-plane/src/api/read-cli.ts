/** The commands that only read: recordings, datasets, models, rollouts; a table for people, the API's own JSON for programs. */
import { FleetError, isDigest } from '@fleetloop/schemas';
import { Command } from 'commander';
import type { CommandIo } from '../ledger/command-io.ts';
import { renderTable } from './text-table.ts';

type Answer = Readonly<Record<string, unknown>>;
type JsonOption = { readonly json?: true };
type AsOfOption = { readonly asOf?: string };
type ListOptions = JsonOption & AsOfOption & { readonly where?: string; readonly limit?: string };

export function recordingCommand(io: CommandIo): Command {
  const command = new Command('recording').description('the recordings in the catalogue');
  command
    .command('list')
    .description('list recordings in the order in which they were accepted, and those that vehicles have lost')
    .option('--where <expression>', 'a CEL filter, e.g. \'label == "ICE" && durationSeconds > 30.0\'')
    .option('--limit <number>', 'most recordings to list', '100')
    .option(...AS_OF)
    .option('--json', 'print them as JSON')
    .action(async ({ where, limit, asOf, json }: ListOptions) => {
      const client = await io.client();
      const answer = await client.get<Answer>('/v1/recordings', { query: { where, limit, asOf } });
      const { lost } = await client.get<{ lost: readonly Answer[] }>('/v1/lost-recordings', { query: { limit, asOf } });
      if (json === true) return io.print(JSON.stringify({ ...answer, lost }, null, 2));
      io.print(tableOf(answer, 'recordings', RECORDING_COLUMNS));
      if (lost.length > 0) io.print(`\nlost on the vehicle:\n${renderTable(lost, LOST_COLUMNS)}`);
    });
  command
    .command('show')
    .description('show one recording with its metadata, or why it was lost')
    .argument('<recording>', 'its digest, or its event if a vehicle has lost it')
    .option(...AS_OF)
    .option('--json', 'print it as JSON')
    .action(async (id: string, { asOf, json }: JsonOption & AsOfOption) =>
      printDocument(io, json, await findOne(io, id, asOf)),
    );
  return command;
}

/** The option that each of these commands has. */
const AS_OF = ['--as-of <sequence or time>', 'as it was at a ledger entry or an RFC 3339 time'] as const;

const RECORDING_COLUMNS = [
  'recording',
  'vehicle',
  'session',
  'source',
  'label',
  'durationSeconds',
  'messages',
] as const;
const LOST_COLUMNS = ['vehicle', 'event', 'session', 'priority', 'sizeBytes', 'lostAt', 'code', 'reason'] as const;

/** A recording that is not in the catalogue may have been lost; a loss is known by its event too, which may have lost several parts. */
async function findOne(io: CommandIo, id: string, asOf: string | undefined): Promise<Answer> {
  const client = await io.client();
  const query = { ...(isDigest(id) ? { recording: id } : { event: id }), asOf };
  const known = isDigest(id)
    ? await client.get<Answer>(`/v1/recordings/${encodeURIComponent(id)}`, { query: { asOf } }).catch(ifNotFound)
    : undefined;
  if (known !== undefined) return known;
  const { lost } = await client.get<{ lost: readonly Answer[] }>('/v1/lost-recordings', { query });
  const [first, ...alsoLost] = lost;
  if (first === undefined) throw new FleetError('NOT_FOUND', `no recording ${id} is in the catalogue or was lost`);
  return { lost: first, ...(alsoLost.length === 0 ? {} : { alsoLost }) };
}

function ifNotFound(error: unknown): undefined {
  if (error instanceof FleetError && error.code === 'NOT_FOUND') return undefined;
  throw error;
}

export function datasetCommand(io: CommandIo): Command {
  const command = new Command('dataset').description('frozen dataset versions');
  addList(command, io, {
    path: '/v1/datasets',
    list: 'datasets',
    columns: ['dataset', 'version', 'recordings', 'train', 'test', 'excluded', 'digest'],
  });
  command
    .command('show <dataset/version>')
    .description('show one version with its recordings and exclusions')
    .option(...AS_OF)
    .option('--json', 'print it as JSON')
    .action(async (reference: string, { asOf, json }: JsonOption & AsOfOption) =>
      printDocument(io, json, await (await io.client()).get(`/v1/datasets/${pathOf(reference)}`, { query: { asOf } })),
    );
  command
    .command('diff <from> <to>')
    .description('say what changed from one version to another')
    .option(...AS_OF)
    .option('--json', 'print it as JSON')
    .action(async (from: string, to: string, { asOf, json }: JsonOption & AsOfOption) =>
      printDiff(io, json, await (await io.client()).get('/v1/datasets/diff', { query: { from, to, asOf } })),
    );
  return command;
}

export function modelCommand(io: CommandIo): Command {
  const command = new Command('model').description('registered model versions');
  addList(command, io, {
    path: '/v1/models',
    list: 'models',
    columns: ['name', 'version', 'datasetName', 'featureSetName', 'runId', 'model'],
  });
  command
    .command('show <name@version>')
    .description('show one model version with its run, gates and promotions')
    .option(...AS_OF)
    .option('--json', 'print it as JSON')
    .action(async (reference: string, { asOf, json }: JsonOption & AsOfOption) =>
      printDocument(
        io,
        json,
        await (await io.client()).get(`/v1/models/${pathOf(reference.replace('@', '/'))}`, { query: { asOf } }),
      ),
    );
  return command;
}

export function rolloutCommand(io: CommandIo): Command {
  const command = new Command('rollout').description('rollouts and what became of them');
  addList(command, io, {
    path: '/v1/rollouts',
    list: 'rollouts',
    columns: ['rolloutId', 'phase', 'startedAt', 'bundle', 'reason'],
  });
  command
    .command('show <rollout>')
    .description('show one rollout with every action and health verdict')
    .option(...AS_OF)
    .option('--json', 'print it as JSON')
    .action(async (rollout: string, { asOf, json }: JsonOption & AsOfOption) =>
      printDocument(
        io,
        json,
        await (await io.client()).get(`/v1/rollouts/${encodeURIComponent(rollout)}`, { query: { asOf } }),
      ),
    );
  return command;
}

function addList(
  command: Command,
  io: CommandIo,
  list: { readonly path: string; readonly list: string; readonly columns: readonly string[] },
): void {
  command
    .command('list')
    .description(`list ${list.list}`)
    .option(...AS_OF)
    .option('--json', 'print them as JSON')
    .action(async ({ asOf, json }: JsonOption & AsOfOption) => {
      const answer = await (await io.client()).get<Answer>(list.path, { query: { asOf } });
      io.print(json === true ? JSON.stringify(answer, null, 2) : tableOf(answer, list.list, list.columns));
    });
}

function tableOf(answer: Answer, name: string, columns: readonly string[]): string {
  const rows = answer[name];
  return renderTable(Array.isArray(rows) ? (rows as readonly Answer[]) : [], columns);
}

/** A document is a tree of values; indented JSON without its long lists is the plainest way to read one. */
function printDocument(io: CommandIo, json: true | undefined, document: Answer): void {
  io.print(JSON.stringify(document, json === true ? undefined : shorten, 2));
}

const LIST_ITEMS_SHOWN = 12;

function shorten(_key: string, value: unknown): unknown {
  if (!Array.isArray(value) || value.length <= LIST_ITEMS_SHOWN) return value;
  return [...value.slice(0, LIST_ITEMS_SHOWN), `… and ${value.length - LIST_ITEMS_SHOWN} more (--json shows all)`];
}

type DiffAnswer = {
  readonly from: string;
  readonly to: string;
  readonly added: readonly Answer[];
  readonly removed: readonly Answer[];
  readonly changed: readonly Answer[];
  readonly replaced: readonly Answer[];
  readonly labels: readonly { readonly label: string; readonly from: Answer; readonly to: Answer }[];
};

function printDiff(io: CommandIo, json: true | undefined, diff: DiffAnswer): void {
  if (json === true) return io.print(JSON.stringify(diff, null, 2));
  const labels = diff.labels.map(({ label, from, to }) => ({
    label,
    train: `${String(from['train'])} → ${String(to['train'])}`,
    test: `${String(from['test'])} → ${String(to['test'])}`,
  }));
  const replaced = diff.replaced.map(({ session, vehicle }) => `replaced ${String(session)} of ${String(vehicle)}`);
  const counts = `${diff.from} → ${diff.to}: ${diff.added.length} added, ${diff.removed.length} removed, ${diff.changed.length} moved or relabelled, ${diff.replaced.length} replaced`;
  io.print([counts, ...replaced, renderTable(labels, ['label', 'train', 'test'])].join('\n'));
}

/** `terrain/v2` as two path segments. */
function pathOf(reference: string): string {
  return reference.split('/').map(encodeURIComponent).join('/');
}
