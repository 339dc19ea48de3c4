/** Chapter 3: feature sets are registered and three dataset versions are frozen. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DemoContext } from '../demo-context.ts';
import { followWorkflow } from '../workflow-steps.ts';

const SIM_FOLDER = join(import.meta.dirname, '../../..');
const FREEZE_TIMEOUT_MS = 60_000;

/** Reads a committed document of the proving ground. */
export async function readDocument(...path: readonly string[]): Promise<unknown> {
  return JSON.parse(await readFile(join(SIM_FOLDER, ...path), 'utf8'));
}

export async function registerFeatureSets({ fleet }: DemoContext): Promise<void> {
  const api = fleet.controlPlane.as('ml-engineer');
  for (const name of ['norms', 'axes']) {
    await api.post('/v1/feature-sets', { document: await readDocument('feature-sets', `${name}.json`) });
  }
}

/** Freezes `terrain/<version>` from its committed specification. */
export async function freezeDataset({ fleet, signal }: DemoContext, version: string): Promise<void> {
  const api = fleet.controlPlane.as('ml-engineer');
  const specification = await readDocument('datasets', `terrain-${version}.json`);
  const { workflowId } = await api.post<{ workflowId: string }>('/v1/datasets', { specification });
  await followWorkflow(api, workflowId, { timeoutMs: FREEZE_TIMEOUT_MS, signal });
}
