/** Chapter 4: models are trained and the gate decides; nothing here knows the verdicts beforehand. */
import { FleetError, type FactBody } from '@fleetloop/schemas';
import type { TrainModelResult } from '@fleetloop/workflows';
import type { DemoContext } from '../demo-context.ts';
import type { Summary } from '../summary.ts';
import { followWorkflow } from '../workflow-steps.ts';
import { readDocument } from './datasets.ts';

const TRAINING_TIMEOUT_MS = 180_000;
export const SEED = 7;
export const MODEL = 'terrain';

/** Trains `terrain` on a dataset version and feature set and has the gate decide. */
export async function trainModel(
  { fleet, signal }: DemoContext,
  dataset: string,
  featureSet: string,
): Promise<TrainModelResult> {
  const api = fleet.controlPlane.as('ml-engineer');
  const policy = await readDocument('policies', 'terrain.json');
  const request = { model: MODEL, dataset: `terrain/${dataset}`, featureSet, policy, seed: SEED };
  const { workflowId } = await api.post<{ workflowId: string }>('/v1/trainings', request);
  return followWorkflow<TrainModelResult>(api, workflowId, { timeoutMs: TRAINING_TIMEOUT_MS, signal });
}

/** The gate's figures for the summary. */
export async function gateFigures(
  { fleet }: DemoContext,
  { modelVersion, gate }: TrainModelResult,
  names: { readonly dataset: string; readonly featureSet: string },
): Promise<Summary['gates'][number]> {
  const { gates } = await fleet.controlPlane
    .as('ml-engineer')
    .get<{ gates: readonly FactBody<'gate.evaluated'>[] }>('/v1/gates');
  const found = gates.find((each) => each.gateId === gate.gateId);
  if (found === undefined) throw new FleetError('NOT_FOUND', `the ledger holds no gate ${gate.gateId}`);
  const { verdict, overall, slices, decidedBy } = found.result;
  return {
    ...names,
    model: `${MODEL}@${modelVersion}`,
    verdict,
    overall,
    slices: slices.map(({ name, value, lowerBound, count }) => ({ name, value, lowerBound, count })),
    decidedBy,
  };
}
