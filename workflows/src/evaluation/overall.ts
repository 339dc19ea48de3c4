/** Figures over all predictions at once: they are shown beside a verdict and never decide it. */
import type { Prediction } from './prediction.ts';

export const CALIBRATION_BINS = 10;

export type OverallMeasurement = {
  readonly accuracy: number;
  /** Mean of the labels' recalls. */
  readonly macroRecall: number;
  /** Expected calibration error over equal bins of confidence: 0 when confidence equals the share that is right. */
  readonly calibrationError: number;
  readonly meanConfidence: number;
  readonly count: number;
  readonly runs: number;
  /** confusion[label][predicted] = windows. */
  readonly confusion: Readonly<Record<string, Readonly<Record<string, number>>>>;
};

export function measureOverall(predictions: readonly Prediction[]): OverallMeasurement {
  const labels = [...new Set(predictions.flatMap(({ label, predicted }) => [label, predicted]))].sort();
  const confusion = confusionOf(predictions, labels);
  const recalls = labels.flatMap((label) => {
    const row = confusion[label] ?? {};
    const total = Object.values(row).reduce((sum, count) => sum + count, 0);
    return total === 0 ? [] : [(row[label] ?? 0) / total];
  });
  const correct = predictions.filter(isCorrect).length;
  return {
    accuracy: correct / predictions.length,
    macroRecall: recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length,
    calibrationError: calibrationError(predictions),
    meanConfidence: predictions.reduce((sum, { confidence }) => sum + confidence, 0) / predictions.length,
    count: predictions.length,
    runs: new Set(predictions.map(({ session }) => session)).size,
    confusion,
  };
}

export const isCorrect = (prediction: Prediction): boolean => prediction.label === prediction.predicted;

function confusionOf(
  predictions: readonly Prediction[],
  labels: readonly string[],
): Record<string, Record<string, number>> {
  const rows = Object.fromEntries(
    labels.map((label) => [label, Object.fromEntries(labels.map((other) => [other, 0]))]),
  );
  for (const { label, predicted } of predictions) {
    const row = rows[label];
    if (row !== undefined) row[predicted] = (row[predicted] ?? 0) + 1;
  }
  return rows;
}

function calibrationError(predictions: readonly Prediction[]): number {
  const bins = Array.from({ length: CALIBRATION_BINS }, () => ({ confidence: 0, correct: 0 }));
  for (const prediction of predictions) {
    const bin = bins[Math.min(CALIBRATION_BINS - 1, Math.floor(prediction.confidence * CALIBRATION_BINS))];
    if (bin === undefined) continue;
    bin.confidence += prediction.confidence;
    bin.correct += isCorrect(prediction) ? 1 : 0;
  }
  return bins.reduce((sum, bin) => sum + Math.abs(bin.confidence - bin.correct), 0) / predictions.length;
}
