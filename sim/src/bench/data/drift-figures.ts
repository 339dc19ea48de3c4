/** Drift of a million rows and fifty columns: counting both sides and all our tests, beside Evidently with the one test that its preset takes by default. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FleetError } from '@fleetloop/schemas';
import { cacheFolder } from '../../stack/cache-folder.ts';
import { preparePythonEnvironment } from '../../stack/python-environment.ts';
import type { Figure, FigureContext } from '../figure.ts';
import { median, type Measurement } from '../measurement.ts';
import { DRIFT_COLUMNS, DRIFT_ROWS, writeDriftTables } from './drift-workload.ts';

const CHILD = join(import.meta.dirname, 'drift-child.ts');
const PEER = join(import.meta.dirname, '../../../bench-peers/evidently');
const CHILD_TIMEOUT_MS = 300_000;
const PEER_TIMEOUT_MS = 1_800_000;
/** Ours must be this many times faster. */
const TIMES_FASTER = 20;
const run = promisify(execFile);

type Answer = { readonly seconds: number; readonly cpuSeconds: number; readonly peakBytes: number };
type Tables = { readonly reference: string; readonly current: string };

export const driftFigures: readonly Figure[] = [
  {
    name: 'drift',
    run: async (context) => {
      const tables: Tables = {
        reference: join(context.folder, 'reference.parquet'),
        current: join(context.folder, 'current.parquet'),
      };
      context.onProgress(`writing two tables of ${DRIFT_ROWS} rows and ${DRIFT_COLUMNS} columns`);
      await writeDriftTables(tables);
      const answers = await ours(tables, context);
      const peer = await evidently(tables, context);
      return measurements(answers, peer);
    },
  },
];

async function ours(tables: Tables, { repeats, signal, onProgress }: FigureContext): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (let round = 0; round < repeats; round += 1) {
    onProgress(`ours, round ${round + 1} of ${repeats}`);
    const { stdout } = await run(process.execPath, [CHILD, tables.reference, tables.current], {
      signal,
      timeout: CHILD_TIMEOUT_MS,
    });
    answers.push(JSON.parse(stdout) as Answer);
  }
  return answers;
}

/** One round: it takes minutes. Undefined where Evidently cannot be installed. */
async function evidently(tables: Tables, { signal, onProgress }: FigureContext): Promise<Answer | undefined> {
  try {
    const requirements = join(PEER, 'requirements.txt');
    const python = await preparePythonEnvironment({ requirements, cache: cacheFolder(), onProgress, signal });
    onProgress('Evidently, once (minutes)');
    const { stdout } = await run(python, [join(PEER, 'data_drift.py'), tables.reference, tables.current], {
      signal,
      timeout: PEER_TIMEOUT_MS,
    });
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Answer;
  } catch (error) {
    signal.throwIfAborted();
    onProgress(`the peer is left out: ${FleetError.from(error).message}`);
    return undefined;
  }
}

function measurements(answers: readonly Answer[], peer: Answer | undefined): readonly Measurement[] {
  const figure = (name: string, unit: string, of: (answer: Answer) => number): Measurement => {
    const sorted = answers.map(of).toSorted((left, right) => left - right);
    return {
      bench: 'data',
      figure: name,
      unit,
      value: median(sorted),
      min: sorted[0] ?? 0,
      max: sorted.at(-1) ?? 0,
      repeats: answers.length,
      ...(peer === undefined ? {} : { peer: { name: 'Evidently (default test)', value: of(peer) } }),
    };
  };
  const seconds = figure('drift of 1 M rows x 50 columns against 1 M, all tests', 's', (answer) => answer.seconds);
  return [
    peer === undefined ? seconds : { ...seconds, target: { atMost: peer.seconds / TIMES_FASTER } },
    figure('… of processor time', 's', (answer) => answer.cpuSeconds),
    figure('… peak memory', 'MB', (answer) => answer.peakBytes / 1e6),
  ];
}
