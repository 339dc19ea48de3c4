/** Reads, writes and sends the runs of an import, a few at once; one bad run does not stop the others. */
import { FleetError } from '@fleetloop/schemas';
import { boundedMap } from '../workflow/bounded-map.ts';
import type { PlannedRun } from './import-plan.ts';
import { type GoodRun, importRun, type RunParts, stateOfFailure } from './import-run.ts';

/** Runs in work at once: one is decoded here while another is checked at the other end. */
export const RUNS_AT_ONCE = 3;

export type BadRun = {
  readonly state: 'quarantined' | 'failed';
  readonly source: string;
  readonly code: string;
  readonly message: string;
};
export type ImportedRun = GoodRun | BadRun;

export type ImportReport = {
  readonly accepted: number;
  /** Of these, recordings in which the standard found something. */
  readonly withFindings: number;
  /** In the catalogue before. */
  readonly known: number;
  /** Refused by the control plane, which keeps them with the reason. */
  readonly quarantined: number;
  /** Could not be read from their source. */
  readonly failed: number;
  readonly runs: readonly ImportedRun[];
};

export type ImportParts = RunParts & { readonly onRun: (run: ImportedRun) => void };

/** @throws FleetError that concerns all runs, e.g. API_UNAVAILABLE; importing everything again is harmless */
export async function importRuns(runs: readonly PlannedRun[], parts: ImportParts): Promise<ImportReport> {
  const done = await boundedMap(runs, RUNS_AT_ONCE, async (run) => {
    parts.signal.throwIfAborted();
    const imported = await importOrFail(run, parts);
    parts.onRun(imported);
    return imported;
  });
  return reportOf(done);
}

export function reportOf(runs: readonly ImportedRun[]): ImportReport {
  const count = (state: ImportedRun['state']): number => runs.filter((run) => run.state === state).length;
  const withFindings = runs.filter((run) => run.state === 'accepted' && hasFindings(run)).length;
  return {
    accepted: count('accepted'),
    withFindings,
    known: count('known'),
    quarantined: count('quarantined'),
    failed: count('failed'),
    runs,
  };
}

async function importOrFail(run: PlannedRun, parts: ImportParts): Promise<ImportedRun> {
  try {
    return await importRun(run, parts);
  } catch (error) {
    parts.signal.throwIfAborted();
    const failure = FleetError.from(error);
    const state = stateOfFailure(failure);
    if (state === undefined) throw failure;
    return { state, source: run.source, code: failure.code, message: failure.message };
  }
}

function hasFindings({ findings }: GoodRun): boolean {
  return findings !== undefined && findings.info + findings.warning + findings.error > 0;
}
