/** Why: what evaluating drift asks of the world: read partitions, count, and judge; everything large is a digest. */

/** Which document says what is watched, as the digest of its canonical JSON. */
export type WatchDocument = { readonly kind: 'drift-monitor' | 'bias-audit'; readonly watch: string };

/** Digest of a sample of some partitions of the reference. */
export type SampledPart = { readonly sample: string };

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
  /**
   * Rows of the partitions by their footers, which is milliseconds for each; null when the document names all bins and categories, so
   * that nothing has to be sampled. @throws DRIFT_INPUT, DRIFT_MONITOR_INVALID, BLOB_NOT_FOUND
   */
  measureReference(
    input: WatchDocument & { readonly partitions: readonly string[] },
  ): Promise<{ readonly rows: number | null }>;
  /** Draws the share of some partitions in an even sample of `rows` rows, and stores it. @throws DRIFT_INPUT, BLOB_NOT_FOUND */
  sampleReference(
    input: WatchDocument & { readonly partitions: readonly string[]; readonly rows: number },
  ): Promise<SampledPart>;
  /** Fits bins and categories to the samples together and stores the definition. @throws DRIFT_INPUT, DRIFT_SKETCH */
  fitDefinition(
    input: WatchDocument & { readonly samples: readonly string[] },
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
