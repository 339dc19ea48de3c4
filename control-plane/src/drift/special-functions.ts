/**
 * The distribution functions that tests need. Sources: W. J. Cody's and Lanczos' approximations as in "Numerical Recipes", 3rd
 * edition, chapter 6; Kolmogorov's series in its two forms. Held against SciPy in the tests.
 */
const LANCZOS = [
  676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
  -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const;
const LANCZOS_G = 7;
const PRECISION = 1e-15;
const TINY = 1e-300;
const STEPS_MAX = 10_000;
const KOLMOGOROV_SPLIT = 1.18;
const KOLMOGOROV_TERMS = 12;

/** Logarithm of the gamma function, x > 0. */
export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  let sum = 0.99999999999980993;
  for (const [index, coefficient] of LANCZOS.entries()) sum += coefficient / (x + index);
  const t = x - 1 + LANCZOS_G + 0.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** Upper regularised incomplete gamma function Q(a, x): the survival function of a gamma variable of shape a. */
export function gammaSurvival(a: number, x: number): number {
  if (!(x > 0)) return 1;
  if (x === Infinity) return 0;
  return x < a + 1 ? 1 - gammaSeries(a, x) : gammaFraction(a, x);
}

/** P(X > x) of a chi-squared variable. */
export const chiSquaredSurvival = (x: number, degrees: number): number => gammaSurvival(degrees / 2, x / 2);

/** P(X > f) of an F variable. */
export function fSurvival(f: number, numerator: number, denominator: number): number {
  if (!(f > 0)) return 1;
  return betaRegularised(denominator / (denominator + numerator * f), denominator / 2, numerator / 2);
}

/** P(|X| > |z|) of a standard normal variable. */
export const normalTwoSided = (z: number): number => gammaSurvival(0.5, (z * z) / 2);

/** The z with P(|X| <= z) = confidence, by bisection: exact enough and without another approximation. */
export function normalQuantile(confidence: number): number {
  let low = 0;
  let high = 40;
  for (let step = 0; step < 200 && high - low > 1e-14; step += 1) {
    const middle = (low + high) / 2;
    if (1 - normalTwoSided(middle) < confidence) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(K > x) of Kolmogorov's limiting distribution. */
export function kolmogorovSurvival(x: number): number {
  if (!(x > 0)) return 1;
  if (x < KOLMOGOROV_SPLIT) {
    let sum = 0;
    for (let k = 1; k <= KOLMOGOROV_TERMS; k += 1) sum += Math.exp((-((2 * k - 1) ** 2) * Math.PI ** 2) / (8 * x * x));
    return clamp(1 - (Math.sqrt(2 * Math.PI) / x) * sum);
  }
  let sum = 0;
  for (let k = 1; k <= KOLMOGOROV_TERMS; k += 1) sum += (k % 2 === 1 ? 1 : -1) * Math.exp(-2 * k * k * x * x);
  return clamp(2 * sum);
}

/** Regularised incomplete beta function I_x(a, b). */
export function betaRegularised(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

function gammaSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n < STEPS_MAX && Math.abs(term) > Math.abs(sum) * PRECISION; n += 1) {
    term *= x / (a + n);
    sum += term;
  }
  return sum * Math.exp(a * Math.log(x) - x - logGamma(a));
}

function gammaFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1 / TINY;
  let d = 1 / b;
  let h = d;
  for (let n = 1; n < STEPS_MAX; n += 1) {
    const an = -n * (n - a);
    b += 2;
    d = 1 / nonZero(an * d + b);
    c = nonZero(b + an / c);
    h *= d * c;
    if (Math.abs(d * c - 1) < PRECISION) break;
  }
  return h * Math.exp(a * Math.log(x) - x - logGamma(a));
}

/** Lentz's method for the continued fraction of the incomplete beta function. */
function betaFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m < STEPS_MAX; m += 1) {
    const even = (m * (b - m) * x) / ((a - 1 + 2 * m) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    h *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 1 + 2 * m));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    h *= d * c;
    if (Math.abs(d * c - 1) < PRECISION) break;
  }
  return h;
}

const nonZero = (value: number): number => (Math.abs(value) < TINY ? TINY : value);
const clamp = (probability: number): number => Math.min(1, Math.max(0, probability));
