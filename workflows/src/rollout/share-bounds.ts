/** Why: a share of few windows proves little; these bounds say how much, for one share, two shares and two mixes. */

/** One-sided bounds of a share, or of a difference of shares. */
export type Bounds = { readonly value: number; readonly lower: number; readonly upper: number };
export type Count = { readonly hits: number; readonly of: number };

/** Wilson's score interval (Wilson 1927) with `of` independent observations; [0, 1] where there is none. */
export function shareBounds(count: Count, quantile: number): Bounds {
  if (count.of <= 0) return { value: 0, lower: 0, upper: 1 };
  const share = count.hits / count.of;
  const squared = quantile * quantile;
  const centre = share + squared / (2 * count.of);
  const spread = quantile * Math.sqrt((share * (1 - share)) / count.of + squared / (4 * count.of * count.of));
  const scale = 1 + squared / count.of;
  return {
    value: share,
    lower: Math.min(share, Math.max(0, (centre - spread) / scale)),
    upper: Math.max(share, Math.min(1, (centre + spread) / scale)),
  };
}

/** Newcombe's hybrid score interval (1998, method 10) of the difference `left - right`. */
export function differenceBounds(left: Count, right: Count, quantile: number): Bounds {
  const a = shareBounds(left, quantile);
  const b = shareBounds(right, quantile);
  const value = a.value - b.value;
  return {
    value,
    lower: value - Math.hypot(a.value - a.lower, b.upper - b.value),
    upper: value + Math.hypot(a.upper - a.value, b.value - b.lower),
  };
}

export type Mix = Readonly<Record<string, number>>;

/**
 * Total variation distance (0..1) of two output mixes with bounds. The plug-in estimate of equal mixes is above 0 by chance;
 * `lower` takes off that expected excess (at most half the sum of the standard deviations per output) and a deviation that
 * bounded differences (McDiarmid 1989) exceed with probability `chance` at most. `designEffect` windows count as one.
 */
export function mixDistance(
  left: Mix,
  right: Mix,
  options: { readonly designEffect: number; readonly chance: number },
): Bounds {
  const leftTotal = total(left);
  const rightTotal = total(right);
  if (leftTotal === 0 || rightTotal === 0) return { value: 0, lower: 0, upper: 1 };
  const outputs = new Set([...Object.keys(left), ...Object.keys(right)]);
  const inverse = options.designEffect / leftTotal + options.designEffect / rightTotal;
  let distance = 0;
  let excess = 0;
  for (const output of outputs) {
    const a = (left[output] ?? 0) / leftTotal;
    const b = (right[output] ?? 0) / rightTotal;
    const pooled = ((left[output] ?? 0) + (right[output] ?? 0)) / (leftTotal + rightTotal);
    distance += Math.abs(a - b) / 2;
    excess += Math.sqrt(pooled * (1 - pooled) * inverse) / 2;
  }
  const deviation = Math.sqrt((Math.log(1 / options.chance) * inverse) / 2);
  return {
    value: distance,
    lower: Math.max(0, distance - excess - deviation),
    upper: Math.min(1, distance + deviation),
  };
}

function total(mix: Mix): number {
  return Object.values(mix).reduce((sum, count) => sum + count, 0);
}

/** Quantile of the standard normal for an upper tail of `chance` (0 < chance <= 0.5), by bisection of the error function's series. */
export function normalQuantile(chance: number): number {
  let low = 0;
  let high = 9;
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (upperTail(middle) > chance) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(Z > x) for x >= 0: series of the distribution function below 3, continued fraction (Laplace) above. */
function upperTail(x: number): number {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (x < 3) {
    let term = x;
    let sum = x;
    for (let k = 1; k < 100; k += 1) {
      term *= (x * x) / (2 * k + 1);
      sum += term;
    }
    return 0.5 - density * sum;
  }
  let fraction = 0;
  for (let k = 60; k >= 1; k -= 1) fraction = k / (x + fraction);
  return density / (x + fraction);
}
