/**
 * Why: workflows decide and activities act. These are all the actions that a workflow may ask for; the control plane
 * implements them. Inputs and results are small plain values: bulk travels as digests.
 */
import type { CampaignInput, DatasetSpecification, NewFact } from '@fleetloop/schemas';
import type { Exposure } from './rollout/health-verdict.ts';

export type Verdict = 'passed' | 'failed' | 'error' | 'inconclusive';

export type DatasetPlan = {
  /** Digest of the DatasetVersion document, which is stored as a blob. */
  readonly digest: string;
  readonly train: number;
  readonly test: number;
  readonly excluded: number;
};
export type FrozenDataset = DatasetPlan & {
  readonly dataset: string;
  readonly version: string;
  /** False when the same content was frozen before. */
  readonly created: boolean;
};

export interface DatasetActivities {
  /** Selects and splits over the whole catalogue as permissions stand at `at` (RFC 3339); stores the document. */
  planDataset(input: {
    readonly specification: DatasetSpecification;
    readonly actor: string;
    readonly at: string;
  }): Promise<DatasetPlan>;
  /** Writes the fact; the same content again is a success, other content under the name is DATASET_EXISTS. */
  freezeDatasetVersion(input: { readonly digest: string; readonly actor: string }): Promise<FrozenDataset>;
}

export interface LedgerActivities {
  /** Appends the facts that are not there yet, in order. */
  recordFacts(facts: readonly NewFact[]): Promise<void>;
}

export type TrainModelInput = {
  readonly model: string;
  /** `name/version` of a frozen dataset. */
  readonly dataset: string;
  readonly featureSet: string;
  /** The gate policy document, as it stands in its file. */
  readonly policy: unknown;
  /** Name of a trainer of the control plane: a folder with a train.py. */
  readonly trainer: string;
  /** The trainer's `search`; null takes the control plane's default. */
  readonly parameters: unknown;
  readonly seed: number;
  readonly actor: string;
};

/** What a training rests on, as digests. */
export type TrainingBasis = {
  readonly runId: string;
  readonly dataset: string;
  readonly datasetName: string;
  readonly featureSet: string;
  readonly featureSetName: string;
  /** Digest of the policy that the gate holds: the one given plus every regression slice of that name. */
  readonly policy: string;
};

export type FeatureTable = {
  readonly digest: string;
  readonly rows: number;
  readonly trainRows: number;
  readonly testRows: number;
  readonly recordings: number;
};

export type TrainedModel = {
  readonly model: string;
  readonly predictions: string;
  /** File name to digest, of all that the trainer wrote. */
  readonly artifacts: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly metrics: Readonly<Record<string, number>>;
  readonly seconds: number;
};

export type TrainingRun = {
  readonly basis: TrainingBasis;
  readonly input: TrainModelInput;
  readonly table: FeatureTable;
  readonly trained: TrainedModel;
};

export type GateOutcome = {
  readonly gateId: string;
  readonly verdict: Verdict;
  readonly decidedBy: string;
  readonly overall: number;
  readonly policy: string;
};

export interface TrainingActivities {
  /** Resolves names to digests, refuses leakage, checks and stores the policy. */
  resolveTraining(input: { readonly training: TrainModelInput; readonly runId: string }): Promise<TrainingBasis>;
  /** One Parquet table of all windows of a dataset version; computed once per (dataset, feature set). */
  computeFeatureTable(input: {
    readonly dataset: string;
    readonly featureSet: string;
    readonly actor: string;
  }): Promise<FeatureTable>;
  runTrainer(input: {
    readonly basis: TrainingBasis;
    readonly training: TrainModelInput;
    readonly table: string;
  }): Promise<TrainedModel>;
  /** Predictions of a registered model over the test split of a table, by the trainer's predict mode; a blob. */
  predictWithModel(input: {
    readonly model: string;
    readonly trainer: string;
    readonly featureSet: string;
    readonly table: string;
  }): Promise<{ readonly predictions: string }>;
  /** Facts run.finished and model.registered; answers the version. */
  registerModel(input: {
    readonly run: TrainingRun;
    readonly mlflowRunId: string | null;
  }): Promise<{ readonly version: number }>;
}

export interface EvaluationActivities {
  /** Evaluates the policy from predictions per sample and writes gate.evaluated. */
  evaluateModelGate(input: {
    readonly gateId: string;
    readonly model: string;
    readonly modelName: string;
    readonly modelVersion: number;
    readonly dataset: string;
    readonly table: string;
    readonly policy: string;
    readonly predictions: string;
    readonly actor: string;
  }): Promise<GateOutcome>;
  /** The digest of a policy with all regression slices that the ledger knows for its name. */
  effectivePolicy(input: { readonly policy: unknown }): Promise<{ readonly policy: string; readonly name: string }>;
}

/** All calls answer null when the control plane runs without MLflow. */
export interface MlflowActivities {
  logRunToMlflow(input: TrainingRun): Promise<string | null>;
  registerInMlflow(input: {
    readonly run: TrainingRun;
    readonly mlflowRunId: string;
    readonly version: number;
  }): Promise<void>;
  tagGateInMlflow(input: {
    readonly model: string;
    readonly version: number;
    readonly gate: GateOutcome;
  }): Promise<void>;
  /** Points the alias at the model of a bundle: what a rollback went back to. */
  moveChampionToBundle(input: { readonly bundle: string }): Promise<void>;
  moveChampion(input: { readonly model: string; readonly version: number }): Promise<void>;
}

export type Proposal = {
  readonly promotionId: string;
  readonly model: string;
  readonly modelName: string;
  readonly modelVersion: number;
  readonly dataset: string;
  readonly policy: string;
  readonly gate: string;
  readonly proposer: string;
  readonly expiresAt: string;
};

export interface ApprovalActivities {
  /** Writes promotion.proposed. @throws APPROVAL_GATE when the newest gate of the model version has not passed */
  proposePromotion(input: {
    readonly promotionId: string;
    readonly model: string;
    readonly version: number;
    readonly proposer: string;
    readonly expiresAt: string;
  }): Promise<Proposal>;
  /** Builds, signs and stores the bundle; writes bundle.built. */
  buildModelBundle(input: {
    readonly proposal: Proposal;
    readonly actor: string;
  }): Promise<{ readonly bundle: string }>;
}

export type RolloutPlan = {
  readonly bundle: string;
  readonly model: string;
  /** The bundle that most of the vehicles run now. */
  readonly formerBundle: string | null;
  /** Active bundle of each vehicle before the rollout. */
  readonly former: Readonly<Record<string, string | null>>;
  readonly hardware: Readonly<Record<string, string>>;
};

export type Assignment = { readonly vehicleId: string; readonly bundle: string | null; readonly shadow: string | null };
export type AwaitedVehicle = { readonly vehicleId: string; readonly bundle: string | null; readonly counter: number };
export type VehicleOutcome = {
  readonly vehicleId: string;
  readonly state: 'confirmed' | 'refused' | 'reverted' | 'silent';
  readonly reason: string;
};

export interface RolloutActivities {
  /** @throws ROLLOUT_INVALID, ROLLOUT_NOT_APPROVED */
  prepareRollout(input: {
    readonly rolloutId: string;
    readonly model: string;
    readonly version: number;
    readonly waves: readonly (readonly string[])[];
  }): Promise<RolloutPlan>;
  /** Signs director targets with a higher counter for each vehicle; answers the counters. */
  assignVehicles(input: {
    readonly assignments: readonly Assignment[];
    readonly rolloutId: string;
    readonly reason: string;
  }): Promise<Readonly<Record<string, number>>>;
  /** Waits until each vehicle reports a final state for its counter; who says nothing until the deadline is silent. */
  awaitVehicles(input: {
    readonly vehicles: readonly AwaitedVehicle[];
    /** Deadline, ms since the Unix epoch: a retry does not extend it. */
    readonly untilMs: number;
  }): Promise<readonly VehicleOutcome[]>;
  /** What treated and control vehicles inferred since `sinceMs`, counted. */
  collectExposure(input: {
    readonly plan: RolloutPlan;
    readonly treated: readonly string[];
    readonly sinceMs: number;
  }): Promise<Exposure>;
}

export type OpenAnomaly = {
  readonly anomalyId: string;
  readonly rolloutId: string;
  readonly bundle: string;
  readonly model: string;
  readonly modelName: string;
  readonly modelVersion: number;
  readonly vehicles: readonly string[];
  readonly hardwareRevision: string;
  readonly feature: string;
  readonly since: string;
};

export type BriefCampaign = {
  readonly condition: string;
  readonly inputs: readonly CampaignInput[];
  readonly preWindowMs: number;
  readonly postWindowMs: number;
  readonly cooldownMs: number;
  readonly eventMsMax: number;
};

export type BriefRecordings = { readonly recordings: readonly string[]; readonly unlabelled: number };

export interface FeedbackActivities {
  /** @throws NOT_FOUND when the rollout opened no anomaly */
  findAnomaly(input: { readonly rolloutId: string }): Promise<OpenAnomaly>;
  /** Makes the candidate the silent shadow of each vehicle, beside what it runs. */
  assignShadow(input: {
    readonly vehicles: readonly string[];
    readonly shadow: string | null;
    readonly reason: string;
  }): Promise<void>;
  /** Publishes the campaign of a brief to the vehicles and writes campaign.published. */
  publishBriefCampaign(input: {
    readonly briefId: string;
    readonly anomaly: OpenAnomaly;
    readonly owner: string;
    readonly campaign: BriefCampaign;
  }): Promise<{ readonly campaignId: string }>;
  /** Withdraws the campaign of a brief from its vehicles and writes campaign.ended; without a campaign nothing happens. */
  endBriefCampaign(input: { readonly briefId: string; readonly owner: string; readonly reason: string }): Promise<void>;
  /** Waits until `recordingsWanted` recordings with this brief are in the catalogue, labelled where `labelled`; answers what is there at the deadline. */
  awaitBriefRecordings(input: {
    readonly briefId: string;
    readonly recordingsWanted: number;
    readonly labelled: boolean;
    /** Deadline, ms since the Unix epoch: a retry does not extend it. */
    readonly untilMs: number;
  }): Promise<BriefRecordings>;
  /** Feature set and trainer that a registered model was made with. */
  describeModel(input: { readonly model: string }): Promise<{ readonly featureSet: string; readonly trainer: string }>;
}

/** Runs of an import in parts, each a blob that lists them. */
export type ImportPartsPlan = { readonly runs: number; readonly parts: readonly string[] };

/** What became of the runs of a part. */
export type ImportedPart = {
  readonly accepted: number;
  /** Of these, recordings in which the quality standard found something. */
  readonly withFindings: number;
  readonly known: number;
  readonly quarantined: number;
  readonly failed: number;
  /** Those that were quarantined or failed. */
  readonly runs: readonly {
    readonly state: 'quarantined' | 'failed';
    readonly source: string;
    readonly code: string;
    readonly message: string;
  }[];
  /** Digest of the list of these, as a part to import them again; null when there are none. */
  readonly again: string | null;
};

export interface ImportActivities {
  planImportParts(input: { readonly root: string; readonly specification: unknown }): Promise<ImportPartsPlan>;
  importPart(input: { readonly part: string; readonly actor: string }): Promise<ImportedPart>;
}
