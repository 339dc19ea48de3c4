/** Long work on features over workers that come and go: the same bytes, whoever computed which part. */
import type { WorkflowState } from '@fleetloop/control-plane';
import { FleetError } from '@fleetloop/schemas';
import type { FeaturesOutcome } from '@fleetloop/workflows';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DriftServers, openDriftServers } from '../drift/drift-servers.ts';
import { NORM_FEATURES, syntheticRecording } from '../workflows/synthetic-drives.ts';

const DRIVES = 12;
let servers: DriftServers;

beforeAll(async () => {
  servers = await openDriftServers();
  await servers.api.post('/v1/feature-sets', { document: NORM_FEATURES });
  for (let drive = 0; drive < DRIVES; drive += 1) {
    const bytes = await syntheticRecording({
      session: `drive/${drive}`,
      ground: 'rough',
      vehicle: 'v1',
      hardwareRevision: 'A',
    });
    await servers.api.postBytes('/v1/imports', bytes);
  }
});
afterAll(async () => servers?.[Symbol.asyncDispose]());

async function start(where: string | null = null): Promise<string> {
  const asked = { featureSet: 'norms', where };
  return (await servers.api.post<{ computationId: string }>('/v1/feature-computations', asked)).computationId;
}

it('gives the same bytes with one worker and with four, and shows its parts', async () => {
  await servers.startWorker('one', 1);
  const alone = await servers.api.workflowResult<FeaturesOutcome>(await start());
  expect(alone).toMatchObject({ recordings: DRIVES, skippedCount: 0 });
  expect(alone.rows).toBeGreaterThan(DRIVES);
  await servers.stopWorkers();
  await servers.startWorker('four', 4);
  const computationId = await start();
  const together = await servers.api.workflowResult<FeaturesOutcome>(computationId);
  expect(together.table).toBe(alone.table);
  const { progress } = await servers.api.get<WorkflowState>(`/v1/workflows/${computationId}`);
  expect(progress).toMatchObject([
    { step: 'plan', state: 'done' },
    { step: 'compute', state: 'done', detail: `${DRIVES} of ${DRIVES} parts done, 0 running` },
    { step: 'join', state: 'done' },
  ]);
});

it('ends when it is cancelled, and leaves no table', async () => {
  await servers.stopWorkers();
  const computationId = await start('vehicle == "v1"');
  await servers.api.delete(`/v1/feature-computations/${computationId}`);
  await servers.startWorker('late', 2);
  const state = async (): Promise<string> =>
    (await servers.api.get<WorkflowState>(`/v1/workflows/${computationId}`)).status;
  await expect.poll(state, { timeout: 20_000 }).toBe('cancelled');
  const code = await servers.api.get(`/v1/feature-computations/${computationId}`).then(
    () => 'there',
    (error: unknown) => FleetError.from(error).code,
  );
  expect(code).toBe('NOT_FOUND');
});
