/** What a gate judges: one prediction per held-out sample, checked once before anything is counted. */
import { FleetError } from '@fleetloop/schemas';

export const PREDICTIONS_MAX = 2_000_000;

/** One held-out window. `session` is the run it was cut from; `attributes` describe the recording (`hardwareRevision`, …). */
export type Prediction = {
  readonly sampleId: string;
  readonly session: string;
  readonly label: string;
  readonly predicted: string;
  /** Probability of `predicted`, 0 to 1. */
  readonly confidence: number;
  readonly attributes: Readonly<Record<string, string>>;
};

/** @throws FleetError EVALUATION_PREDICTIONS_INVALID when a sample is missing parts, occurs twice or breaks a range */
export function checkPredictions(predictions: readonly Prediction[], labels: readonly string[]): void {
  if (predictions.length === 0) throw invalid('there are no predictions');
  if (predictions.length > PREDICTIONS_MAX) throw invalid(`there are more than ${PREDICTIONS_MAX} predictions`);
  const names = attributeNames(predictions);
  const seen = new Set<string>();
  const known = new Set(labels);
  for (const prediction of predictions) {
    const { sampleId, confidence } = prediction;
    if (sampleId === '' || prediction.session === '')
      throw invalid(`a sample lacks its id or session: ${JSON.stringify(sampleId)}`);
    for (const label of [prediction.label, prediction.predicted]) {
      if (!known.has(label))
        throw invalid(`sample ${sampleId} has label ${JSON.stringify(label)}, which is none of ${labels.join(', ')}`);
    }
    if (seen.has(sampleId)) throw invalid(`sample ${sampleId} occurs twice`);
    seen.add(sampleId);
    if (!(confidence >= 0 && confidence <= 1 + 1e-6))
      throw invalid(`sample ${sampleId} has confidence ${confidence}: it must be from 0 to 1`);
    for (const name of names) {
      if (typeof prediction.attributes[name] !== 'string')
        throw invalid(`sample ${sampleId} has no attribute ${name}, others have`);
    }
  }
}

/** Names of all attributes that any sample has, sorted. */
export function attributeNames(predictions: readonly Prediction[]): readonly string[] {
  const names = new Set<string>();
  for (const prediction of predictions) for (const name of Object.keys(prediction.attributes)) names.add(name);
  return [...names].sort();
}

function invalid(what: string): FleetError {
  return new FleetError('EVALUATION_PREDICTIONS_INVALID', `the predictions cannot be judged: ${what}`);
}
