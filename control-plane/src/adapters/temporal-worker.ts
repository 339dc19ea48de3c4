/** Why: one worker of Temporal runs all workflows and activities of this process; the workflow code is bundled once and kept. */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  bundleWorkflowCode,
  DefaultLogger,
  type LogLevel,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker';
import type { Logger } from 'pino';
import { createApprovalActivities } from '../approval/approval-activities.ts';
import { createDatasetActivities } from '../dataset/dataset-activities.ts';
import { createDriftActivities } from '../drift/drift-activities.ts';
import { createEvaluationActivities } from '../evaluation/evaluation-activities.ts';
import { createFeatureActivities } from '../features/feature-activities.ts';
import { createFeedbackActivities } from '../feedback/feedback-activities.ts';
import { createImportActivities } from '../import/import-activities.ts';
import { createMlflowActivities } from '../mlflow/mlflow-activities.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { createRolloutActivities } from '../rollout/rollout-activities.ts';
import { createTrainingActivities, type TrainingOptions } from '../training/training-activities.ts';
import { createLedgerActivities } from '../workflow/ledger-activities.ts';
import { openImportDisk, realPath } from './disk-import.ts';
import { writeFileDurably } from './durable-file.ts';

const require = createRequire(import.meta.url);
const WORKFLOWS = require.resolve('@fleetloop/workflows/workflows');
const SHUTDOWN_GRACE = '5 s';

export type RunningWorker = AsyncDisposable & {
  /** Rejects when the worker stops by itself. */
  readonly stopped: Promise<void>;
};

/** Starts the worker of this process; disposing it lets running activities end and stops it. */
export async function startWorker(context: ControlPlane, options: TrainingOptions = {}): Promise<RunningWorker> {
  installRuntime(context.logger);
  const { address, namespace, taskQueue, activitiesAtOnce } = context.config.temporal;
  const connection = await NativeConnection.connect({ address });
  const code = await workflowBundle(
    context.config.workflowBundleDir ?? join(context.config.dataDir, 'workflow-bundle'),
    context.logger,
  );
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue,
    workflowBundle: { code },
    activities: allActivities(context, options),
    maxConcurrentActivityTaskExecutions: activitiesAtOnce,
    shutdownGraceTime: SHUTDOWN_GRACE,
  });
  const stopped = worker.run();
  // Whoever holds the worker sees the failure; it must not end the process before.
  stopped.catch((error: unknown) => context.logger.error({ err: error }, 'worker.failed'));
  context.logger.info({ taskQueue }, 'worker.started');
  return {
    stopped,
    async [Symbol.asyncDispose]() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await stopped.catch(() => undefined);
      await connection.close();
    },
  };
}

function allActivities(context: ControlPlane, options: TrainingOptions): object {
  return {
    ...createLedgerActivities(context),
    ...createDatasetActivities(context),
    ...createTrainingActivities(context, options),
    ...createDriftActivities(context),
    ...createFeatureActivities(context),
    ...createEvaluationActivities(context),
    ...createMlflowActivities(context),
    ...createApprovalActivities(context),
    ...createRolloutActivities(context),
    ...createFeedbackActivities(context),
    ...createImportActivities(context, { openDisk: openImportDisk, realPath }),
  };
}

/** Runs workflow code over the recorded history of a workflow. */
export type Replay = (history: unknown, workflowId: string) => Promise<void>;

/**
 * Bundles the workflow code of today to run it over recorded histories.
 * @returns what rejects with a DeterminismViolationError of Temporal when this code would have decided otherwise
 */
export async function openReplay(): Promise<Replay> {
  const workflowBundle = await bundleWorkflowCode({ workflowsPath: WORKFLOWS });
  return async (history, workflowId) =>
    Worker.runReplayHistory({ workflowBundle, replayName: workflowId }, history, workflowId);
}

/** The bundled workflow code, from the cache where neither the workflows, the schemas nor Temporal have changed. */
async function workflowBundle(folder: string, logger: Logger): Promise<string> {
  const path = join(folder, `${await sourceHash()}.js`);
  const cached = await readFile(path, 'utf8').catch(() => undefined);
  if (cached !== undefined) return cached;
  const { code } = await bundleWorkflowCode({ workflowsPath: WORKFLOWS, logger: temporalLogger(logger) });
  await mkdir(folder, { recursive: true });
  await writeFileDurably(path, code);
  return code;
}

async function sourceHash(): Promise<string> {
  const roots = [dirname(WORKFLOWS), dirname(require.resolve('@fleetloop/schemas'))];
  const hash = createHash('sha256').update(await readFile(require.resolve('@temporalio/worker/package.json')));
  for (const root of roots) {
    const files = (await readdir(root, { recursive: true }))
      .filter((file) => /\.(ts|js)$/.test(file) && !file.endsWith('.test.ts'))
      .sort();
    for (const file of files) hash.update(`${file}\n`).update(await readFile(join(root, file)));
  }
  return hash.digest('hex').slice(0, 32);
}

let isRuntimeInstalled = false;

/** Temporal's runtime is one per process. */
function installRuntime(logger: Logger): void {
  if (isRuntimeInstalled) return;
  isRuntimeInstalled = true;
  Runtime.install({ logger: temporalLogger(logger), shutdownSignals: [] });
}

const LEVELS: Readonly<Record<LogLevel, 'debug' | 'info' | 'warn' | 'error'>> = {
  TRACE: 'debug',
  DEBUG: 'debug',
  INFO: 'debug',
  WARN: 'warn',
  ERROR: 'error',
};

function temporalLogger(logger: Logger): DefaultLogger {
  return new DefaultLogger('INFO', ({ level, message, meta }) => {
    const { workflowId, workflowType, activityType, attempt, error } = meta ?? {};
    logger[LEVELS[level]]({ message, workflowId, workflowType, activityType, attempt, err: error }, 'temporal.said');
  });
}
