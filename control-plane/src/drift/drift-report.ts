/** Why: an evaluation names what it rests on by digest, so that whoever reads it can make it again; equal inputs give equal bytes. */
import { canonicalJson, type JsonValue } from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import type { DriftMonitor } from './drift-monitor.ts';
import { type DriftEvaluation, evaluateDrift } from './evaluate-drift.ts';
import type { TableSketch } from './table-sketch.ts';

export type DriftReport = DriftEvaluation & {
  readonly kind: 'drift-report';
  readonly version: 1;
  readonly monitor: { readonly name: string; readonly version: number; readonly digest: string };
  /** Digest of the bins and categories that both sides were counted by. */
  readonly definition: string;
  readonly rows: { readonly reference: number; readonly current: number };
};

/** The digest of a monitor as it is understood, with every default written out. */
export const monitorDigest = (monitor: DriftMonitor): string => digestOfDocument(monitor as unknown as JsonValue);

/** @throws FleetError DRIFT_SKETCH, DRIFT_MONITOR_INVALID, DRIFT_INPUT */
export function reportDrift(monitor: DriftMonitor, reference: TableSketch, current: TableSketch): DriftReport {
  return {
    kind: 'drift-report',
    version: 1,
    monitor: { name: monitor.name, version: monitor.version, digest: monitorDigest(monitor) },
    definition: reference.definitionDigest,
    rows: { reference: reference.rows, current: current.rows },
    ...evaluateDrift(monitor, reference, current),
  };
}

export function reportBytes(report: object): Uint8Array {
  return Buffer.from(canonicalJson(report as JsonValue), 'utf8');
}
