// Why this file exists: a model is as sure of itself on the road as on nonsense; how far its input lies from training says more.
import type { BundleManifest } from '@fleetloop/schemas';

/** Mean over features of ((x - mean) / std)^2; about 1 for vectors like those of training. */
export function trainingDistance(vector: ArrayLike<number>, training: BundleManifest['trainingDistribution']): number {
  let sum = 0;
  for (let index = 0; index < vector.length; index += 1) {
    const z = ((vector[index] as number) - (training.mean[index] as number)) / (training.std[index] as number);
    sum += z * z;
  }
  return sum / vector.length;
}
