/** Why: drift of files on this machine needs no server: fit, sketch and judge, in one process. */
import { auditBias, type BiasReport } from './audit-bias.ts';
import { type BiasAudit, countedByAudit } from './bias-audit.ts';
import type { DriftMonitor } from './drift-monitor.ts';
import { type DriftReport, reportDrift } from './drift-report.ts';
import { fitDefinition } from './fit-definition.ts';
import { sampleReference } from './sample-reference.ts';
import { sketchParquet } from './sketch-parquet.ts';

export type LocalDrift = {
  readonly monitor: DriftMonitor;
  readonly reference: readonly string[];
  readonly current: readonly string[];
  readonly onProgress?: (line: string) => void;
};

/** @throws FleetError DRIFT_INPUT, DRIFT_MONITOR_INVALID; the reason of `signal` when it aborts */
export async function evaluateFiles(input: LocalDrift, signal: AbortSignal): Promise<DriftReport> {
  const { monitor, onProgress } = input;
  onProgress?.(`fitting bins to ${input.reference.length} reference files`);
  const definition = fitDefinition(monitor, await sampleReference(input.reference, { monitor }, signal));
  onProgress?.('counting the reference');
  const reference = await sketchParquet(input.reference, definition, signal);
  onProgress?.(`counting ${input.current.length} current files`);
  const current = await sketchParquet(input.current, definition, signal);
  onProgress?.('testing');
  return reportDrift(monitor, reference, current);
}

/** @throws FleetError DRIFT_INPUT, DRIFT_MONITOR_INVALID; the reason of `signal` when it aborts */
export async function auditFiles(audit: BiasAudit, paths: readonly string[], signal: AbortSignal): Promise<BiasReport> {
  const counted = countedByAudit(audit);
  const definition = fitDefinition(counted, await sampleReference(paths, { monitor: counted }, signal));
  return auditBias(audit, await sketchParquet(paths, definition, signal));
}
