/** Why: what validating a feature set asks of the world: have both engines compute a part of the recordings, and judge all parts. */

export type ValidationPlan = {
  /** Digest of the feature set. */
  readonly featureSet: string;
  /** Digests of lists of recordings. */
  readonly parts: readonly string[];
  readonly recordings: number;
  /** The day on which declared divergences are to hold, YYYY-MM-DD. */
  readonly date: string;
};

export type ComparedPart = {
  /** Digest of how the engines agree on each recording of this part. */
  readonly comparison: string;
  /** Windows that both engines gave. */
  readonly windows: number;
};

export type ValidationOutcome = {
  readonly validationId: string;
  readonly featureSet: { readonly digest: string; readonly name: string; readonly version: number };
  /** Digest of the parity report. */
  readonly report: string;
  readonly recordings: number;
  readonly windows: number;
};

export interface ValidationActivities {
  /** Finds the recordings and stores them as lists. @throws NOT_FOUND, FEATURE_SET_STATE, FEATURE_LIMIT */
  planValidation(input: {
    readonly featureSet: string;
    readonly recordings: readonly string[];
    /** Bytes of recordings in one part, about; absent: what is good for the workers. */
    readonly partBytes?: number;
  }): Promise<ValidationPlan>;
  /** Has both engines compute a list of recordings and stores how they agree. @throws FEATURE_INPUT_MISSING, FEATURE_LIMIT, BLOB_NOT_FOUND */
  compareEngines(input: {
    readonly featureSet: string;
    readonly part: string;
    readonly date: string;
  }): Promise<ComparedPart>;
  /** Stores the report and writes feature_set.validated, once. @throws FEATURE_SET_REFUSED where the engines differ, FEATURE_SET_STATE */
  judgeValidation(input: {
    readonly validationId: string;
    readonly plan: ValidationPlan;
    readonly comparisons: readonly string[];
    readonly actor: string;
    readonly reason: string;
  }): Promise<ValidationOutcome>;
}
