/** Datasets: the specification somebody asks for, and the frozen version that answers it. Both are identified by digest. */
import { z } from 'zod';
import { FleetError } from '../errors/fleet-error.ts';
import { digestText } from '../package/bundle.ts';

export const DATASET_RECORDINGS_MAX = 100_000;
const shortText = z.string().min(1).max(256);

/**
 * A dataset specification. Recordings of the catalogue are taken by CEL filters over everything that is known of them: the
 * fields of `FilterableRecording`.
 */
export const DatasetSpecification = z.strictObject({
  kind: z.literal('dataset-specification'),
  dataset: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  version: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,30}$/),
  description: z.string().max(1_000),
  /** A recording is in when `include` is true. */
  include: z.string().max(2_000),
  /** Recordings that are left out, first match gives the reason. */
  exclude: z.array(z.strictObject({ where: z.string().max(2_000), reason: shortText })).max(100),
  /** Sessions (drive runs) that are the test split and must never be trained on. */
  testSessions: z.array(shortText).min(1).max(10_000),
  /** Sessions that must be trained on; absent: all that are not in testSessions. Naming a test session here is leakage. */
  trainSessions: z.array(shortText).max(10_000).optional(),
  /** What it is for; absent: `training`. Recordings whose consent or licence does not cover it, or has ended, are left out. */
  use: z.string().min(1).max(64).optional(),
  /** Recordings that state none are left out, too; absent: they are taken. */
  requireConsent: z.boolean().optional(),
  requireLicence: z.boolean().optional(),
});
export type DatasetSpecification = z.infer<typeof DatasetSpecification>;

const DatasetRecording = z.strictObject({
  recording: digestText,
  session: shortText,
  split: z.enum(['train', 'test']),
  label: shortText,
  vehicle: shortText,
  hardwareRevision: shortText,
  softwareVersion: shortText,
  brief: z.string().nullable(),
});
export type DatasetRecording = z.infer<typeof DatasetRecording>;

export const DatasetVersion = z.strictObject({
  kind: z.literal('dataset-version'),
  dataset: shortText,
  version: shortText,
  specification: digestText,
  /** Sorted by recording digest. */
  recordings: z.array(DatasetRecording).min(1).max(DATASET_RECORDINGS_MAX),
  exclusions: z
    .array(z.strictObject({ recording: digestText, session: shortText, reason: shortText }))
    .max(DATASET_RECORDINGS_MAX),
});
export type DatasetVersion = z.infer<typeof DatasetVersion>;

/** @throws FleetError DATASET_INVALID naming each field that is wrong */
export function parseDatasetSpecification(document: unknown): DatasetSpecification {
  const parsed = DatasetSpecification.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new FleetError('DATASET_INVALID', `the dataset specification is not valid: ${z.prettifyError(parsed.error)}`);
}
