/** Energy of a window in a frequency band, straight from the definition: a sum over the samples at their own times, no grid, no padding. */
import { type BandEnergy, bandFrequencies, CONSTANT_SHARE, RANGE_MIN } from './feature-definition.ts';
import type { SeriesWindow } from './series-window.ts';

/** Compiles one band. Costs O(samples x frequencies) at the close of a window; its scratch space is its own. */
export function compileBandEnergy(band: BandEnergy): (window: SeriesWindow) => number {
  const real = new Float64Array(bandFrequencies(band).length);
  const imaginary = new Float64Array(real.length);
  return (window) => {
    if (window.count < 2) return Number.NaN;
    window.measure();
    if (isConstant(window.min, window.max)) return 0;
    const weights = transform(window, band, { real, imaginary });
    let energy = 0;
    for (let index = 0; index < real.length; index += 1)
      energy += (real[index] as number) ** 2 + (imaginary[index] as number) ** 2;
    const seconds = (window.endNs - window.startNs) / 1e9;
    return weights === 0 ? Number.NaN : (2 * band.stepHz * seconds * energy) / (window.count * weights);
  };
}

/** Whether a range of values is one value as far as its digits can tell. */
export function isConstant(min: number, max: number): boolean {
  return max - min <= Math.max(CONSTANT_SHARE * Math.max(Math.abs(min), Math.abs(max)), RANGE_MIN);
}

type Sums = { readonly real: Float64Array; readonly imaginary: Float64Array };

/** Fills the sums of each frequency; returns the sum of the squared weights. */
function transform(window: SeriesWindow, band: BandEnergy, { real, imaginary }: Sums): number {
  real.fill(0);
  imaginary.fill(0);
  const seconds = (window.endNs - window.startNs) / 1e9;
  let weights = 0;
  for (let index = window.from; index < window.to; index += 1) {
    const at = window.secondsAt(index);
    const weight = (1 - Math.cos((2 * Math.PI * at) / seconds)) / 2;
    weights += weight * weight;
    const value = weight * ((window.values[index] as number) - window.mean);
    // From one frequency to the next the angle grows by the same step: a rotation instead of a sine and cosine for each.
    const step = 2 * Math.PI * band.stepHz * at;
    const stepCosine = Math.cos(step);
    const stepSine = Math.sin(step);
    let cosine = value * Math.cos(2 * Math.PI * band.lowHz * at);
    let sine = value * Math.sin(2 * Math.PI * band.lowHz * at);
    for (let frequency = 0; frequency < real.length; frequency += 1) {
      real[frequency] = (real[frequency] as number) + cosine;
      imaginary[frequency] = (imaginary[frequency] as number) + sine;
      const next = cosine * stepCosine - sine * stepSine;
      sine = sine * stepCosine + cosine * stepSine;
      cosine = next;
    }
  }
  return weights;
}
