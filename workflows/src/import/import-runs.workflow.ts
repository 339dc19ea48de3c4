/** Why: files that lie beside the control plane are imported there: in parts that are retried one by one, visible and cancellable. */
import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import { LONG_STEP } from '../flow/activity-options.ts';
import type { PartsState } from '../flow/drain-parts.ts';
import { trackProgress } from '../flow/progress.ts';
import { reportParts, runParts } from '../flow/run-parts.ts';
import type { ImportActivities, ImportedPart, ImportPartsPlan } from '../ports.ts';

/** What is to be imported. */
export type ImportOrder =
  | {
      readonly kind: 'specification';
      /** A name of `import.roots` in the control plane's configuration. */
      readonly root: string;
      /** An import specification; its paths count from the root. */
      readonly specification: unknown;
    }
  /** Runs that were quarantined or failed in an import that has ended. */
  | { readonly kind: 'again'; readonly of: string; readonly plan: ImportPartsPlan };

export type ImportRunsInput = {
  readonly order: ImportOrder;
  readonly actor: string;
  /** What a former run of this workflow has planned and done. */
  readonly resume?: { readonly plan: ImportPartsPlan; readonly state: PartsState<ImportedPart> };
};

export type ImportRunsResult = Omit<ImportedPart, 'again'> & {
  /** All that were quarantined or failed, as parts of another import; the runs above are only the first of them. */
  readonly again: readonly string[];
};

/** Parts in work at once; each reads, writes and checks a few runs at a time itself. */
const PARTS_AT_ONCE = 2;
/** Bad runs that the result names; the ledger has all that were refused. */
const BAD_RUNS_NAMED_MAX = 500;
/** How long parts that failed wait to be tried again, ms. */
const RETRY_WAIT_MS = 3_600_000;

const { planImportParts, importPart } = proxyActivities<ImportActivities>({
  ...LONG_STEP,
  // A part may hold a drive of hours; its heartbeats say that it goes on.
  startToCloseTimeout: '24 h',
});

/**
 * Imports every run of a specification. What is in the catalogue is not decoded again, so that repeating it is cheap.
 * Fails with IMPORT_INVALID, MAPPING_INVALID, or the code of a part that failed as a whole.
 */
export async function importRuns(input: ImportRunsInput): Promise<ImportRunsResult> {
  const report = trackProgress();
  const { order, actor, resume } = input;
  report('plan', 'running', order.kind === 'again' ? `runs of ${order.of}` : `looking for runs below ${order.root}`);
  const plan = resume?.plan ?? (await planOf(order));
  report('plan', 'done', `${plan.runs} runs in ${plan.parts.length} parts`);
  const imported = await runParts<string, ImportedPart>(plan.parts, {
    concurrency: PARTS_AT_ONCE,
    work: async (part) => importPart({ part, actor }),
    onProgress: reportParts(report, 'import'),
    resume: resume?.state,
    continueWith: async (state) => continueAsNew<typeof importRuns>({ ...input, resume: { plan, state } }),
    retryWaitMs: RETRY_WAIT_MS,
  });
  return sumOf(imported);
}

async function planOf(order: ImportOrder): Promise<ImportPartsPlan> {
  if (order.kind === 'again') return order.plan;
  const { root, specification } = order;
  return planImportParts({ root, specification });
}

function sumOf(parts: readonly ImportedPart[]): ImportRunsResult {
  const sum = (count: (part: ImportedPart) => number): number => parts.reduce((total, part) => total + count(part), 0);
  return {
    accepted: sum((part) => part.accepted),
    withFindings: sum((part) => part.withFindings),
    known: sum((part) => part.known),
    quarantined: sum((part) => part.quarantined),
    failed: sum((part) => part.failed),
    runs: parts.flatMap((part) => part.runs).slice(0, BAD_RUNS_NAMED_MAX),
    again: parts.flatMap(({ again }) => again ?? []),
  };
}
