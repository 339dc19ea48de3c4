/** The facts about models: the data they were trained on, the run that made them, the gate they passed and who let them out. */
import { z } from 'zod';
import { DatasetVersion } from '../dataset/dataset-version.ts';
import { digestText } from '../package/bundle.ts';
import { shortText, text } from './fact-fields.ts';

const sliceResult = z.strictObject({
  name: shortText,
  value: z.number().nullable(),
  lowerBound: z.number().nullable(),
  count: z.int().min(0),
  runs: z.int().min(0),
  required: z.boolean(),
  threshold: z.number().nullable(),
  verdict: z.enum(['passed', 'failed', 'error', 'inconclusive']),
  reason: text,
});

export const GateResult = z.strictObject({
  verdict: z.enum(['passed', 'failed', 'error', 'inconclusive']),
  overall: z.number(),
  slices: z.array(sliceResult).max(256),
  /** The slice or rule that decided, in words. */
  decidedBy: text,
  assumption: text,
});
export type GateResult = z.infer<typeof GateResult>;

export const MODEL_FACTS = {
  'dataset.frozen': z.strictObject({
    digest: digestText,
    dataset: shortText,
    version: shortText,
    document: DatasetVersion,
  }),
  'run.finished': z.strictObject({
    runId: shortText,
    mlflowRunId: z.string().nullable(),
    trainer: shortText,
    seed: z.int(),
    dataset: digestText,
    featureTable: digestText,
    featureSet: digestText,
    model: digestText,
    artifacts: z.record(z.string(), digestText),
    parameters: z.record(z.string(), z.union([z.string(), z.number()])),
    metrics: z.record(z.string(), z.number()),
    seconds: z.number(),
  }),
  'run.failed': z.strictObject({ runId: shortText, dataset: digestText, code: shortText, message: text }),
  'model.registered': z.strictObject({
    name: shortText,
    version: z.int().min(1),
    model: digestText,
    runId: shortText,
    dataset: digestText,
    featureSet: digestText,
    datasetName: z.string(),
    featureSetName: z.string(),
  }),
  'gate.evaluated': z.strictObject({
    gateId: shortText,
    model: digestText,
    modelName: shortText,
    modelVersion: z.int(),
    dataset: digestText,
    policy: digestText,
    predictions: digestText,
    result: GateResult,
  }),
  'promotion.proposed': z.strictObject({
    promotionId: shortText,
    modelName: shortText,
    modelVersion: z.int(),
    model: digestText,
    gate: shortText,
    dataset: digestText,
    policy: digestText,
    proposer: shortText,
    expiresAt: z.iso.datetime(),
  }),
  'promotion.approved': z.strictObject({
    promotionId: shortText,
    model: digestText,
    dataset: digestText,
    policy: digestText,
    approver: shortText,
    reason: text,
  }),
  'promotion.refused': z.strictObject({ promotionId: shortText, model: digestText, by: shortText, reason: text }),
  'bundle.built': z.strictObject({
    bundle: digestText,
    model: digestText,
    modelName: shortText,
    modelVersion: z.int(),
    featureSet: digestText,
    variants: z.record(z.string(), digestText),
    promotion: shortText,
  }),
} as const;
