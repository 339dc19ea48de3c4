/** `npm run bench [name]`: runs the benchmarks, prints a table and writes JSON. Machines are noisy: medians over repeats. */
import { mkdir } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { table } from '../demo/summary.ts';
import { writeFileDurably } from '../stack/durable-file.ts';
import { agentBench } from './agent.bench.ts';
import { captureBench } from './capture.bench.ts';
import { dataBench } from './data/data.bench.ts';
import { edgeBench } from './edge/edge.bench.ts';
import { ingestBench } from './ingest.bench.ts';
import type { Bench, Measurement } from './measurement.ts';
import { recordBench } from './record.bench.ts';

const BENCHES: readonly Bench[] = [captureBench, recordBench, ingestBench, agentBench, edgeBench, dataBench];
const PROJECT_FOLDER = resolve(import.meta.dirname, '../../..');

const program = new Command('bench')
  .description(`Benchmarks: ${BENCHES.map((bench) => `${bench.name} (${bench.description})`).join('; ')}`)
  .argument('[name]', 'one benchmark; all without it')
  .option('--repeats <n>', 'timed repeats of each figure', '5')
  .option('--minutes <n>', 'how long each figure of the bench edge that is measured in real time may take', '1')
  .option('--only <text>', 'of the bench edge: figures with this in their name')
  .option('--json', 'print JSON on standard output', false)
  .action(async (name: string | undefined, options: Options) => bench(name, options));

type Options = { readonly repeats: string; readonly minutes: string; readonly only?: string; readonly json: boolean };

async function bench(name: string | undefined, options: Options): Promise<void> {
  const chosen = BENCHES.filter((each) => name === undefined || each.name === name);
  if (chosen.length === 0)
    throw new Error(`no benchmark ${name}: there are ${BENCHES.map((each) => each.name).join(', ')}`);
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(new Error('stopped')));
  const measurements: Measurement[] = [];
  for (const each of chosen) {
    process.stderr.write(`${each.name}: ${each.description} …\n`);
    const only = options.only === undefined ? {} : { only: options.only };
    const { repeats, minutes } = options;
    const common = { repeats: Number(repeats), minutes: Number(minutes), signal: controller.signal };
    measurements.push(...(await each.run({ ...common, ...only })));
  }
  const report = {
    at: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryBytes: totalmem(),
      node: process.version,
    },
    measurements,
  };
  const folder = join(PROJECT_FOLDER, '.fleetloop');
  await mkdir(folder, { recursive: true });
  const file = join(folder, `bench-${report.at.replaceAll(/[:.]/g, '-')}.json`);
  await writeFileDurably(file, `${JSON.stringify(report, undefined, 2)}\n`);
  process.stdout.write(
    options.json ? `${JSON.stringify(report, undefined, 2)}\n` : `${render(measurements)}\n\nJSON: ${file}\n`,
  );
}

function render(measurements: readonly Measurement[]): string {
  const number = (value: number): string =>
    value >= 1_000 ? Math.round(value).toLocaleString('en-US') : value.toFixed(value >= 10 ? 1 : 3);
  return table(
    ['bench', 'figure', 'median', 'min', 'max', 'unit', 'to reach', 'peer', 'ratio'],
    measurements.map((each) => [
      each.bench,
      each.figure,
      number(each.value),
      number(each.min),
      number(each.max),
      each.unit,
      each.target === undefined
        ? ''
        : 'atLeast' in each.target
          ? `≥ ${number(each.target.atLeast)}`
          : `≤ ${number(each.target.atMost)}`,
      each.peer === undefined ? '' : `${each.peer.name} ${number(each.peer.value)}`,
      each.peer === undefined ? '' : (each.value / each.peer.value).toFixed(2),
    ]),
  );
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
