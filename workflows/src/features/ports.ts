/** Why: what long work on features asks of the world: choose recordings, compute a part of them, and bring parts together. */

export type FeaturesPlan = {
  /** Digest of the feature set. */
  readonly featureSet: string;
  /** Digests of lists of recordings. */
  readonly parts: readonly string[];
  readonly recordings: number;
  /** Ledger sequence up to which recordings were taken. */
  readonly asOf: number;
};

export type FeaturesPart = {
  /** Digest of the Parquet table of this part. */
  readonly table: string;
  readonly rows: number;
  /** Digest of the list of recordings without the signals that the features need; null when there are none. */
  readonly skipped: string | null;
  readonly skippedCount: number;
  /** Samples that came after all their windows had closed, and are in none. */
  readonly lateSamples: number;
};

export type FeaturesOutcome = {
  readonly computationId: string;
  readonly table: string;
  readonly rows: number;
  readonly recordings: number;
  readonly skippedCount: number;
  readonly lateSamples: number;
};

export type SkewPlan = {
  /** Digest of the feature set. */
  readonly featureSet: string;
  /** Digests of lists of windows with the recordings that cover them, and of lists of sampled inputs. */
  readonly parts: readonly string[];
  /** Digest of the tally of windows that nothing covers. */
  readonly rest: string;
  readonly windows: number;
  /** The day on which declared divergences are to hold. */
  readonly date: string;
};

export type SkewOutcome = {
  readonly evaluationId: string;
  readonly verdict: 'passed' | 'failed' | 'inconclusive';
  /** Digest of the report. */
  readonly report: string;
  readonly compared: number;
};

export interface FeatureActivities {
  /** Chooses recordings by CEL and stores the lists. @throws NOT_FOUND, REQUEST_INVALID, FEATURE_LIMIT, DATASET_EMPTY */
  planFeatures(input: {
    readonly featureSet: string;
    readonly where: string | null;
    /** Bytes of recordings in one part, about; absent: what is good for the workers. */
    readonly partBytes?: number;
  }): Promise<FeaturesPlan>;
  /** Computes the features of a list of recordings and stores the table. @throws FEATURE_LIMIT, BLOB_NOT_FOUND */
  computeFeaturesPart(input: { readonly featureSet: string; readonly part: string }): Promise<FeaturesPart>;
  /** Stores all parts as one table and writes features.computed. */
  joinFeatures(input: {
    readonly computationId: string;
    readonly plan: FeaturesPlan;
    readonly where: string | null;
    readonly parts: readonly FeaturesPart[];
    readonly actor: string;
  }): Promise<FeaturesOutcome>;
  /** Chooses reported windows, the recordings that cover them, and sampled inputs. @throws NOT_FOUND, FEATURE_SKEW when there are none */
  planSkew(input: {
    readonly featureSet: string;
    readonly vehicles: readonly string[];
    readonly sinceMs: number | null;
    /** The day on which declared divergences are to hold (YYYY-MM-DD); null: today. */
    readonly on: string | null;
  }): Promise<SkewPlan>;
  /** Recomputes a list of windows and stores the tally of differences. */
  tallySkew(input: {
    readonly featureSet: string;
    readonly part: string;
    readonly date: string;
  }): Promise<{ readonly tally: string; readonly windows: number }>;
  /** Adds the tallies, stores the report and writes skew.evaluated. */
  judgeSkew(input: {
    readonly evaluationId: string;
    readonly plan: SkewPlan;
    readonly tallies: readonly string[];
    readonly actor: string;
  }): Promise<SkewOutcome>;
}
