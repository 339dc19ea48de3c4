/** `npm run demo`: the whole loop on real recordings and real servers, ending with a table, summary.json and exit code 0. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { Command } from 'commander';
import { writeFileDurably } from '../stack/durable-file.ts';
import { CAN_VEHICLE, FLEET } from '../world/fleet-plan.ts';
import { announceStack, startVirtualFleet, type VirtualFleet } from '../world/virtual-fleet.ts';
import { Narrator } from './narrator.ts';
import { runStory } from './story.ts';
import { renderSummary, type Summary } from './summary.ts';

const PROJECT_FOLDER = resolve(import.meta.dirname, '../../..');

type Options = { readonly keep: boolean; readonly json: boolean; readonly out?: string };

const program = new Command('demo')
  .description('Runs the whole loop on real recordings and real servers, and prints what happened.')
  .option('--keep', 'leave the stack running afterwards and print its addresses (Ctrl-C stops it)', false)
  .option('--out <folder>', 'results folder (default: .fleetloop/demo-<time>)')
  .option('--json', 'print summary.json on standard output instead of tables', false)
  .action(async (options: Options) => demo(options));

async function demo(options: Options): Promise<void> {
  const controller = new AbortController();
  const interrupted = new Promise<void>((done) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        controller.abort(new Error(`stopped by ${name}`));
        done();
      });
    }
  });
  const folder = resolve(
    options.out ?? join(PROJECT_FOLDER, '.fleetloop', `demo-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`),
  );
  await mkdir(folder, { recursive: true });
  const narrator = new Narrator((line) => process.stderr.write(`${line}\n`));
  narrator.chapter(`Setting the stage in ${relative(process.cwd(), folder) || folder}`);
  await using fleet = await narrator.step('stack', 'servers, control plane and seven vehicles are up', async () =>
    startVirtualFleet({ folder, plans: [...FLEET, CAN_VEHICLE], onProgress: narrator.line, signal: controller.signal }),
  );
  const { summary, traceTrees } = await runStory({ fleet, narrator, folder, signal: controller.signal });
  await writeSummary(folder, summary);
  await writeFile(join(folder, 'trace.txt'), traceTrees.join('\n'));
  process.stdout.write(
    options.json ? `${JSON.stringify(summary, undefined, 2)}\n` : render(summary, traceTrees, folder),
  );
  if (options.keep) await keepRunning(fleet, interrupted);
}

/** Most lines of either direction of the lineage on the terminal; the file holds all of them. */
const TRACE_LINES_SHOWN = 32;

function render(summary: Summary, traceTrees: readonly string[], folder: string): string {
  return `\n${traceTrees.map(beginningOf).join('\n\n')}\n\n${renderSummary(summary)}\n\nResults: ${folder}\n`;
}

function beginningOf(tree: string): string {
  const lines = tree.trimEnd().split('\n');
  const more = lines.length - TRACE_LINES_SHOWN;
  return [...lines.slice(0, TRACE_LINES_SHOWN), ...(more > 0 ? [`… ${more} more lines in trace.txt`] : [])].join('\n');
}

async function writeSummary(folder: string, summary: Summary): Promise<void> {
  await writeFileDurably(join(folder, 'summary.json'), `${JSON.stringify(summary, undefined, 2)}\n`);
}

async function keepRunning(fleet: VirtualFleet, interrupted: Promise<void>): Promise<void> {
  await using announcement = await announceStack(fleet.controlPlane, PROJECT_FOLDER);
  process.stdout.write(
    [
      '',
      'The stack keeps running; Ctrl-C stops it.',
      `  API      ${fleet.controlPlane.url}   token (ml-engineer): ${fleet.controlPlane.tokenOf('ml-engineer')}`,
      `  MLflow   ${fleet.stack.mlflow.url}`,
      `  Temporal ${fleet.stack.temporal.address}`,
      `  NATS     ${fleet.stack.nats.url}`,
      `  npx fleetloop … finds it by ${announcement.path}`,
      '',
    ].join('\n'),
  );
  await interrupted;
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(
    `\ndemo: ${error instanceof Error ? `${'code' in error ? `${String(error.code)}: ` : ''}${error.message}` : String(error)}\n`,
  );
  process.exitCode = 1;
}
