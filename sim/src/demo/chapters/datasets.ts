/** Chapter 3: feature sets are proposed, validated and activated, and three dataset versions are frozen. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DemoContext } from '../demo-context.ts';
import { followWorkflow } from '../workflow-steps.ts';
import { listRecordings } from './capture.ts';

const SIM_FOLDER = join(import.meta.dirname, '../../..');
const FREEZE_TIMEOUT_MS = 60_000;
const VALIDATE_TIMEOUT_MS = 120_000;

/** Reads a committed document of the proving ground. */
export async function readDocument(...path: readonly string[]): Promise<unknown> {
  return JSON.parse(await readFile(join(SIM_FOLDER, ...path), 'utf8'));
}

/** Imported runs that both engines are compared on before a feature set may be used on the road. */
const VALIDATION_RUNS = 4;
const VALIDATION_FILTER = 'source == "import" && softwareVersion == "1.4.0"';

/** One proposes, another has both engines compared on imported runs, and then the versions are active. */
export async function registerFeatureSets({ fleet, signal }: DemoContext): Promise<void> {
  const [proposer, validator] = [fleet.controlPlane.as('ml-engineer'), fleet.controlPlane.as('auditor')];
  const runs = await listRecordings(validator, VALIDATION_FILTER);
  const recordings = runs.slice(0, VALIDATION_RUNS).map(({ recording }) => recording);
  for (const name of ['norms', 'axes']) {
    const document = await readDocument('feature-sets', `${name}.json`);
    const { version } = await proposer.post<{ version: number }>('/v1/feature-sets', { document });
    const path = `/v1/feature-sets/${name}/${version}`;
    const asked = { recordings, reason: 'both engines agree on imported runs' };
    const { workflowId } = await validator.post<{ workflowId: string }>(`${path}/validate`, asked);
    await followWorkflow(validator, workflowId, { timeoutMs: VALIDATE_TIMEOUT_MS, signal });
    await proposer.post(`${path}/activate`, { reason: 'validated' });
  }
}

/** Freezes `terrain/<version>` from its committed specification. */
export async function freezeDataset({ fleet, signal }: DemoContext, version: string): Promise<void> {
  const api = fleet.controlPlane.as('ml-engineer');
  const specification = await readDocument('datasets', `terrain-${version}.json`);
  const { workflowId } = await api.post<{ workflowId: string }>('/v1/datasets', { specification });
  await followWorkflow(api, workflowId, { timeoutMs: FREEZE_TIMEOUT_MS, signal });
}
