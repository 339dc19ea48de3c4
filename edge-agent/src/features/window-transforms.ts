// Why this file exists: the arithmetic of a feature, in forms that lose no digits (compensated sums, deviations from the mean),
// because the same features are computed by SQL in the cloud and must be the same numbers.
import { assertNever, type Transform, ZERO_BAND_SHARE } from '@fleetloop/schemas';

/** Figures of one window of one series, shared by all its transforms. Reused from window to window. */
export type WindowFigures = { count: number; mean: number; min: number; max: number; sumOfSquares: number };

export function createWindowFigures(): WindowFigures {
  return { count: 0, mean: 0, min: 0, max: 0, sumOfSquares: 0 };
}

/** Fills `figures` from the first `count` values; `count` is at least 1. */
export function measureWindow(values: Float64Array, count: number, figures: WindowFigures): void {
  let sum = 0;
  let lost = 0;
  let squares = 0;
  let squaresLost = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < count; index += 1) {
    const value = values[index] as number;
    // Kahan's compensated sum: the error does not grow with the number of samples.
    const corrected = value - lost;
    const next = sum + corrected;
    lost = next - sum - corrected;
    sum = next;
    const square = value * value - squaresLost;
    const nextSquares = squares + square;
    squaresLost = nextSquares - squares - square;
    squares = nextSquares;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  figures.count = count;
  figures.mean = sum / count;
  figures.min = min;
  figures.max = max;
  figures.sumOfSquares = squares;
}

/** One transform of one window. `figures` must have been measured from the same values. */
export function applyTransform(transform: Transform, values: Float64Array, figures: WindowFigures): number {
  switch (transform) {
    case 'mean':
      return figures.mean;
    case 'std':
      return standardDeviation(values, figures);
    case 'range':
      return figures.max - figures.min;
    case 'rms':
      return Math.sqrt(figures.sumOfSquares / figures.count);
    case 'mad':
      return meanAbsoluteDifference(values, figures.count);
    case 'min':
      return figures.min;
    case 'max':
      return figures.max;
    case 'last':
      return values[figures.count - 1] as number;
    case 'count':
      return figures.count;
    case 'zero_crossings':
      return zeroCrossings(values, figures);
    default:
      return assertNever(transform);
  }
}

function standardDeviation(values: Float64Array, figures: WindowFigures): number {
  let squares = 0;
  for (let index = 0; index < figures.count; index += 1) {
    const deviation = (values[index] as number) - figures.mean;
    squares += deviation * deviation;
  }
  return Math.sqrt(squares / figures.count);
}

function meanAbsoluteDifference(values: Float64Array, count: number): number {
  if (count < 2) return 0;
  let sum = 0;
  for (let index = 1; index < count; index += 1)
    sum += Math.abs((values[index] as number) - (values[index - 1] as number));
  return sum / (count - 1);
}

function zeroCrossings(values: Float64Array, figures: WindowFigures): number {
  const band = (figures.max - figures.min) * ZERO_BAND_SHARE;
  let crossings = 0;
  let former = 0;
  for (let index = 0; index < figures.count; index += 1) {
    const deviation = (values[index] as number) - figures.mean;
    if (Math.abs(deviation) <= band) continue;
    const sign = Math.sign(deviation);
    if (former !== 0 && sign !== former) crossings += 1;
    former = sign;
  }
  return crossings;
}
