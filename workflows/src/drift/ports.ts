/** Why: what evaluating drift asks of the world: read partitions, count, and judge; everything large is a digest. */

/** Which document says what is watched, as the digest of its canonical JSON. */
export type WatchDocument = { readonly kind: 'drift-monitor' | 'bias-audit'; readonly watch: string };

export type SketchedPart = {
  readonly side: 'reference' | 'current';
  /** Digest of the sketch of these partitions. */
  readonly sketch: string;
  readonly rows: number;
};

export type DriftOutcome = {
  readonly evaluationId: string;
  readonly verdict: 'passed' | 'failed' | 'inconclusive';
  /** Digest of the report. */
  readonly report: string;
  readonly definition: string;
  readonly alerts: number;
};

export interface DriftActivities {
  /** Fits bins and categories to a table and stores the definition. @throws DRIFT_INPUT, DRIFT_MONITOR_INVALID, BLOB_NOT_FOUND */
  fitDefinition(
    input: WatchDocument & { readonly partitions: readonly string[] },
  ): Promise<{ readonly definition: string }>;
  /** Counts the rows of partitions and stores the sketch. @throws DRIFT_INPUT, BLOB_NOT_FOUND */
  sketchPartitions(input: {
    readonly definition: string;
    readonly partitions: readonly string[];
  }): Promise<{ readonly sketch: string; readonly rows: number }>;
  /** Merges the sketches, stores the report and writes drift.evaluated or bias.audited. @throws DRIFT_SKETCH, DRIFT_INPUT */
  judgeDrift(
    input: WatchDocument & {
      readonly evaluationId: string;
      readonly definition: string;
      readonly reference: readonly string[];
      readonly current: readonly string[];
      readonly sketches: { readonly reference: readonly string[]; readonly current: readonly string[] };
      readonly actor: string;
    },
  ): Promise<DriftOutcome>;
}
