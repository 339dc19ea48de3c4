/** Drift and bias on the workers of a control plane: the same bytes for any number of them, visible, retried by part, cancelled, continued. */
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DriftOutcome, EvaluateDriftInput, ProgressStep } from '@fleetloop/workflows';
import { DuckDBInstance } from '@duckdb/node-api';
import { createReadStream } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordHistories } from '../workflows/histories.ts';
import { type DriftServers, openDriftServers } from './drift-servers.ts';

const CLI = join(import.meta.dirname, '../../control-plane/src/processes/cli.ts');
const DEADLINE_MS = 60_000;
const PARTITIONS = 8;
const MONITOR = {
  kind: 'drift-monitor',
  name: 'speeds',
  version: 1,
  owner: 'perception',
  session: 'session',
  keys: [{ name: 'season', column: 'season', as: 'text' }],
  seasons: ['season'],
  features: [
    { kind: 'numeric', name: 'speed', bins: 16, range: { min: 0, max: 60 } },
    { kind: 'category', name: 'ground' },
  ],
};
const AUDIT = {
  kind: 'bias-audit',
  name: 'ground-model',
  version: 1,
  owner: 'perception',
  outcome: { label: 'ground', prediction: 'predicted' },
  session: 'session',
  attributes: ['region'],
};

/** Workflows that stand for their kind among the recorded histories. */
const started = new Map<string, string>();
let servers: DriftServers;
let reference: readonly string[];
let moved: readonly string[];
beforeAll(async () => {
  servers = await openDriftServers();
  reference = await storePartitions('reference', '0');
  moved = await storePartitions('moved', "CASE WHEN season = 'winter' THEN 6 ELSE 0 END");
});
afterAll(async () => {
  await recordHistories(servers.api, started);
  await servers?.[Symbol.asyncDispose]();
});

/** Partitions of a table of drives; summer and winter differ, and the model reads ice badly in one region. */
async function storePartitions(name: string, shift: string): Promise<readonly string[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  const tables: string[] = [];
  for (let part = 0; part < PARTITIONS; part += 1) {
    const path = join(servers.root, `${name}-${part}.parquet`);
    await connection.run(`COPY (
      WITH drawn AS (SELECT i, (i * 7919 + ${part} * 104729) % 10007 / 10007.0 AS u, i // 20 AS drive FROM range(1000) t(i)),
      rows AS (SELECT *, CASE WHEN drive % 2 = 0 THEN 'summer' ELSE 'winter' END AS season, CASE WHEN drive % 3 = 0 THEN 'north' ELSE 'south' END AS region FROM drawn)
      SELECT 'drive ' || ${part} || '/' || drive AS session, season, region,
        15 + 10 * u + CASE WHEN season = 'winter' THEN -5 ELSE 5 END + ${shift} AS speed,
        CASE WHEN i % 3 = 0 THEN 'ice' ELSE 'snow' END AS ground,
        CASE WHEN i % 3 = 0 AND region = 'north' AND i % 2 = 0 THEN 'snow' WHEN i % 3 = 0 THEN 'ice' ELSE 'snow' END AS predicted
      FROM rows) TO '${path}' (FORMAT parquet)`);
    const stored = await servers.api.postBytes<{ table: string }>('/v1/drift/tables', createReadStream(path));
    tables.push(stored.table);
  }
  connection.closeSync();
  instance.closeSync();
  return tables;
}

type Status = {
  readonly status: string;
  readonly progress: readonly ProgressStep[];
  readonly result?: DriftOutcome;
  readonly error?: { readonly code: string; readonly message: string };
};

async function statusWhen(id: string, isThere: (status: Status) => boolean): Promise<Status> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const status = await servers.api.get<Status>(`/v1/workflows/${id}`);
    if (isThere(status)) return status;
    if (Date.now() > deadline) throw new Error(`it did not come to that: ${JSON.stringify(status)}`);
    await delay(100);
  }
}

async function start(body: unknown): Promise<string> {
  return (await servers.api.post<{ evaluationId: string }>('/v1/drift', body)).evaluationId;
}

async function outcomeOf(id: string): Promise<DriftOutcome> {
  return servers.api.workflowResult<DriftOutcome>(id);
}

type Evaluation = DriftOutcome & {
  readonly sketches: { readonly reference: string; readonly current: string };
  readonly alerts: readonly { readonly feature: string; readonly season: readonly string[] }[];
};
const evaluation = async (id: string): Promise<Evaluation> => servers.api.get<Evaluation>(`/v1/drift/${id}`);

describe('an evaluation', () => {
  test('gives the same bytes on one slot of one worker and on four workers', async () => {
    await servers.startWorker('one', 1);
    const alone = await outcomeOf(await start({ monitor: MONITOR, reference, current: moved }));
    await servers.stopWorkers();
    await Promise.all(['a', 'b', 'c', 'd'].map(async (name) => servers.startWorker(name, 2)));
    const together = await outcomeOf(
      await start({ monitor: MONITOR, reference: reference.toReversed(), current: moved }),
    );
    expect(together).toMatchObject({ report: alone.report, definition: alone.definition, verdict: 'failed' });
    started.set('evaluate-drift', together.evaluationId);
    const [first, second] = [await evaluation(alone.evaluationId), await evaluation(together.evaluationId)];
    expect(second.sketches).toEqual(first.sketches);
    expect(first.alerts).toMatchObject([{ feature: 'speed', season: ['winter'] }]);
  });

  test('of the same rows passes, and is in the list with its evidence', async () => {
    const { evaluationId, report } = await outcomeOf(await start({ monitor: MONITOR, reference, current: reference }));
    const { evaluations } = await servers.api.get<{
      evaluations: { evaluationId: string; verdict: string; report: string }[];
    }>('/v1/drift');
    expect(evaluations[0]).toMatchObject({ evaluationId, verdict: 'passed', report });
    const trace = await servers.api.get<unknown>(`/v1/trace/${encodeURIComponent(`drift-report:${report}`)}`);
    expect(JSON.stringify(trace)).toContain(reference[0]);
  });

  test('continues in fresh histories and gives the same bytes', async () => {
    const first = await evaluation(
      (await servers.api.get<{ evaluations: { evaluationId: string }[] }>('/v1/drift')).evaluations.at(-1)
        ?.evaluationId ?? '',
    );
    const workflowId = 'drift-00000000000000aa';
    const watch = (first as unknown as { monitor: string }).monitor;
    const input: EvaluateDriftInput = {
      kind: 'drift-monitor',
      watch,
      evaluationId: workflowId,
      reference,
      current: moved,
      actor: 'tester',
      partsAtOnce: 2,
      eventsPerRunMax: 20,
    };
    const handle = await servers.temporal.workflow.start('evaluateDrift', {
      workflowId,
      taskQueue: 'fleetloop',
      args: [input],
    });
    const outcome = (await handle.result()) as DriftOutcome;
    expect(outcome.report).toBe(first.report);
    started.set('evaluate-drift-continued', workflowId);
    const firstRun = servers.temporal.workflow.getHandle(workflowId, handle.firstExecutionRunId);
    expect((await firstRun.describe()).status.name).toBe('CONTINUED_AS_NEW');
  });

  test('keeps what is counted while a part fails, tells of it, and is cancelled', async () => {
    const broken = join(servers.root, 'broken.parquet');
    await writeFile(broken, 'PAR1 and then nothing of the kind');
    const { table } = await servers.api.postBytes<{ table: string }>('/v1/drift/tables', createReadStream(broken));
    const id = await start({ monitor: MONITOR, reference, current: [...moved, table] });
    const waiting = await statusWhen(id, ({ progress }) => progress.some(({ state }) => state === 'waiting'));
    expect(waiting.progress.find(({ step }) => step === 'count')?.detail).toContain(
      '16 of 17 parts done, 0 running, 1 failed',
    );
    expect(waiting.progress.find(({ step }) => step === 'count')?.detail).toContain('cannot be read as Parquet');
    expect(await servers.api.post(`/v1/drift/${id}/retry`, {})).toMatchObject({ parts: 1 });
    await statusWhen(id, ({ progress }) => progress.some(({ state }) => state === 'waiting'));
    await servers.api.delete(`/v1/drift/${id}`);
    expect((await statusWhen(id, ({ status }) => status !== 'running')).status).toBe('cancelled');
    started.set('evaluate-drift-cancelled', id);
    await expect(evaluation(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(servers.api.post(`/v1/drift/${id}/retry`, {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('goes on with another worker after every worker was killed', async () => {
    await servers.stopWorkers();
    const id = await start({ monitor: MONITOR, reference, current: moved });
    const doomed = await servers.startWorker('doomed', 1);
    await statusWhen(id, ({ progress }) => progress.some(({ step, state }) => step === 'fit' && state === 'done'));
    doomed.kill('SIGKILL');
    await servers.startWorker('next', 4);
    expect((await outcomeOf(id)).verdict).toBe('failed');
  });

  test.each([
    ['a monitor that is none', { monitor: { ...MONITOR, owner: '' } }, 'DRIFT_MONITOR_INVALID'],
    ['a partition that is not stored', { current: [`sha256:${'0'.repeat(64)}`] }, 'BLOB_NOT_FOUND'],
    ['no partition', { current: [] }, 'REQUEST_INVALID'],
  ])('is refused for %s', async (_, change, code) => {
    await expect(start({ monitor: MONITOR, reference, current: moved, ...change })).rejects.toMatchObject({ code });
  });
});

describe('the command line', () => {
  test('audits bias on the server and names the group that is treated worse', async () => {
    const audit = join(servers.root, 'audit.json');
    await writeFile(audit, JSON.stringify(AUDIT));
    const args = [
      ...servers.access,
      'feature',
      'bias',
      '--audit',
      audit,
      '--table',
      ...reference,
      '--on-server',
      '--json',
    ];
    const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
    expect(stderr).toContain('judge: failed');
    expect(status).toBe(1);
    const report = JSON.parse(stdout) as {
      results: readonly { group: string; measure: string; verdict: string; difference: number }[];
    };
    const north = report.results.find(({ group, measure }) => group === 'north' && measure === 'recall ice');
    expect(north).toMatchObject({ verdict: 'failed' });
    expect(north?.difference).toBeLessThan(-0.4);
    expect(report.results.find(({ measure }) => measure === 'recall snow')).toMatchObject({
      verdict: 'passed',
      difference: 0,
    });
  });
});
