/** The cloud side of serving: the vector that a vehicle would have had at an instant of a recording. */
import { type FeatureSet, FleetError } from '@fleetloop/schemas';
import { isSessionWindow } from '@fleetloop/schemas/features';
import type { FeatureRow } from '../ports.ts';

const NS_PER_MS = 1_000_000n;

/** The newest window that had closed at `atNs`. @throws FleetError FEATURE_VECTOR_NONE */
export function vectorAt<Row extends FeatureRow>(featureSet: FeatureSet, rows: readonly Row[], atNs: bigint): Row {
  const closed = rows.findLast((row) => closesAtNs(featureSet, row) <= atNs);
  if (closed !== undefined) return closed;
  throw new FleetError(
    'FEATURE_VECTOR_NONE',
    `no window of ${featureSet.name} had closed at ${atNs} ns: ${rows.length === 0 ? 'the recording has none' : `the first one closed at ${closesAtNs(featureSet, rows[0] as Row)} ns`}`,
  );
}

/** The stamp with which a message closes the window: all samples that belong to it have come then. */
export function closesAtNs({ window }: FeatureSet, { windowStartNs, windowEndNs }: FeatureRow): bigint {
  const latenessNs = BigInt(window.latenessMs ?? 0) * NS_PER_MS;
  if (!isSessionWindow(window)) return windowEndNs + latenessNs;
  const bySilence = windowEndNs + BigInt(window.gapMs) * NS_PER_MS;
  const byLength = windowStartNs + BigInt(window.lengthMsMax) * NS_PER_MS;
  return (bySilence < byLength ? bySilence : byLength) + latenessNs;
}
