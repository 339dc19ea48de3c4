/** Why: a gate counts what the trainer's predictions say about our own samples; labels and attributes come from our table, never from the trainer. */
import { FleetError } from '@fleetloop/schemas';
import type { Prediction } from '@fleetloop/workflows';
import { readParquet } from '../training/parquet.ts';

const SAMPLE = ['sample_id', 'session', 'label', 'vehicle', 'hardware_revision', 'software_version', 'brief'] as const;

/**
 * The predictions of a file, joined with the test rows of a feature table by sample id.
 * @throws FleetError EVALUATION_PREDICTIONS_INVALID when they do not cover exactly the test rows
 */
export async function gatePredictions(table: string, predictions: string): Promise<readonly Prediction[]> {
  const answers = new Map(
    (await readParquet(predictions, ['sample_id', 'predicted', 'confidence'])).map((row) => [
      String(row['sample_id']),
      row,
    ]),
  );
  const samples = await readParquet(table, SAMPLE, "split = 'test'");
  if (answers.size !== samples.length) {
    throw new FleetError(
      'EVALUATION_PREDICTIONS_INVALID',
      `there are ${answers.size} predictions for ${samples.length} test samples`,
    );
  }
  return samples.map((sample) => {
    const sampleId = String(sample['sample_id']);
    const answer = answers.get(sampleId);
    if (answer === undefined)
      throw new FleetError('EVALUATION_PREDICTIONS_INVALID', `test sample ${sampleId} has no prediction`);
    return {
      sampleId,
      session: String(sample['session']),
      label: String(sample['label']),
      predicted: String(answer['predicted']),
      confidence: Number(answer['confidence']),
      attributes: {
        vehicle: String(sample['vehicle']),
        hardwareRevision: String(sample['hardware_revision']),
        softwareVersion: String(sample['software_version']),
        brief: String(sample['brief']),
      },
    };
  });
}
