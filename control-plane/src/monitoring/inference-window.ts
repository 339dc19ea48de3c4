/** Turns what a vehicle sent of its inferences into rows, and refuses what it says about others. */
import { fromBinary } from '@bufbuild/protobuf';
import { type Inference, type InferenceBatch, InferenceBatchSchema, Role } from '@fleetloop/schemas/wire';
import type { InferenceWindow } from '../ports.ts';

/** A batch holds at most this many inferences. */
export const INFERENCES_PER_BATCH_MAX = 1_024;

export type ReceivedBatch = { readonly windows: readonly InferenceWindow[]; readonly deadlineMisses: number };

/** Undefined for a batch that does not decode, is too long, or speaks for another vehicle than its subject. */
export function readInferenceBatch(
  vehicleId: string,
  bytes: Uint8Array,
  receivedAtMs: number,
): ReceivedBatch | undefined {
  let batch: InferenceBatch;
  try {
    batch = fromBinary(InferenceBatchSchema, bytes);
  } catch {
    return undefined;
  }
  if (batch.vehicleId !== vehicleId || batch.inferences.length > INFERENCES_PER_BATCH_MAX) return undefined;
  return {
    windows: batch.inferences.map((inference) => toWindow(batch, inference, receivedAtMs)),
    deadlineMisses: Number(batch.deadlineMisses),
  };
}

function toWindow(batch: InferenceBatch, inference: Inference, receivedAtMs: number): InferenceWindow {
  return {
    vehicleId: batch.vehicleId,
    hardwareRevision: batch.hardwareRevision,
    bundle: batch.bundle,
    variant: batch.variant,
    directorCounter: batch.directorCounter,
    role: inference.role === Role.SHADOW ? 'shadow' : 'active',
    sequence: Number(inference.sequence),
    session: inference.session,
    windowStartNs: inference.windowStartNs,
    windowEndNs: inference.windowEndNs,
    output: inference.output,
    confidence: inference.confidence,
    distance: inference.distance,
    latencyUs: inference.latencyUs,
    fallback: inference.fallback,
    features: inference.features,
    receivedAtMs,
  };
}
