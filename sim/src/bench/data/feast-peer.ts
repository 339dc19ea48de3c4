/** Feast's historical retrieval on the tables of the join figure, in a Python environment of its own. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../stack/cache-folder.ts';
import { preparePythonEnvironment } from '../../stack/python-environment.ts';
import { runCommand } from '../../stack/run-command.ts';
import type { FigureContext } from '../figure.ts';
import { type JoinTables, MAX_AGE_SECONDS } from './join-workload.ts';

const PEER_FOLDER = join(import.meta.dirname, '../../../bench-peers/feast');
const TIMEOUT_MS = 600_000;

export type FeastRun = {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rows: number;
  readonly matched: number;
  readonly sum: number;
  readonly peakBytes: number;
};

/** One retrieval in a fresh process. @throws FleetError STACK_UNAVAILABLE when it cannot be installed */
export async function runFeast(
  { folder, signal, onProgress }: Pick<FigureContext, 'folder' | 'signal' | 'onProgress'>,
  tables: JoinTables,
): Promise<FeastRun> {
  const requirements = join(PEER_FOLDER, 'requirements.txt');
  const python = await preparePythonEnvironment({ requirements, cache: cacheFolder(), onProgress, signal });
  const repository = join(folder, 'feast');
  await mkdir(repository, { recursive: true });
  const { peerEntities, peerFeatures } = tables;
  const args = [peerEntities, peerFeatures, String(MAX_AGE_SECONDS), repository, join(folder, 'feast.parquet')];
  const output = await runCommand(python, [join(PEER_FOLDER, 'historical_retrieval.py'), ...args], {
    signal,
    timeoutMs: TIMEOUT_MS,
  });
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as FeastRun;
}
