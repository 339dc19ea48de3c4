/** Held against SciPy: fixtures/scipy-figures.json is what fixtures/scipy_figures.py wrote. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adjustPValues } from './correction.ts';
import { jensenShannon, kolmogorovSmirnov, populationStability, wasserstein } from './distances.ts';
import { equalGroups, twoSides } from './session-variance.ts';
import { effectiveRate, fisherPValue, homogeneityPValue, kolmogorovPValue, wassersteinPValue } from './significance.ts';
import {
  betaRegularised,
  chiSquaredSurvival,
  fSurvival,
  kolmogorovSurvival,
  normalQuantile,
  normalTwoSided,
} from './special-functions.ts';

type Figures = {
  readonly special: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly bins: {
    readonly reference: readonly number[];
    readonly current: readonly number[];
    readonly edges: readonly number[];
    readonly psi: number;
    readonly jensenShannon: number;
    readonly kolmogorovSmirnov: number;
    readonly wasserstein: number;
  };
  readonly correction: {
    readonly p: readonly number[];
    readonly bh: readonly number[];
    readonly holm: readonly number[];
  };
};
const FIGURES = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/scipy-figures.json'), 'utf8')) as Figures;

/** Equal in relative terms, however small. */
function expectClose(value: number, expected: number, relative = 1e-9): void {
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(Math.abs(expected) * relative + 1e-300);
}

describe('distribution functions', () => {
  it.each([
    ['chi2', (row: readonly number[]) => chiSquaredSurvival(row[0] as number, row[1] as number)],
    ['f', (row: readonly number[]) => fSurvival(row[0] as number, row[1] as number, row[2] as number)],
    ['normal', (row: readonly number[]) => normalTwoSided(row[0] as number)],
    ['kolmogorov', (row: readonly number[]) => kolmogorovSurvival(row[0] as number)],
    ['beta', (row: readonly number[]) => betaRegularised(row[0] as number, row[1] as number, row[2] as number)],
  ])('%s agrees with SciPy into the tails', (name, compute) => {
    const rows = FIGURES.special[name] ?? [];
    expect(rows.length).toBeGreaterThan(3);
    for (const row of rows) expectClose(compute(row), row.at(-1) as number, 1e-8);
  });

  it('the normal quantile undoes the survival function', () => {
    expectClose(normalQuantile(0.95), 1.959963984540054);
    expectClose(normalQuantile(0.99), 2.5758293035489004);
  });

  it("Fisher's test agrees with SciPy's hypergeometric distribution", () => {
    for (const [hits = 0, first = 0, marked = 0, second = 0, upper = 0, lower = 0] of FIGURES.special['hypergeom'] ??
      []) {
      const sides = [
        { hits: marked - hits, rows: first },
        { hits, rows: second },
      ] as const;
      expectClose(fisherPValue(...sides, 'greater'), upper, 1e-8);
      expectClose(fisherPValue(...sides, 'two-sided'), Math.min(1, 2 * Math.min(upper, lower)), 1e-8);
    }
  });
});

describe('distances', () => {
  const { reference, current, edges, ...expected } = FIGURES.bins;

  it('agree with SciPy on the same bins', () => {
    expectClose(populationStability(reference, current), expected.psi);
    expectClose(jensenShannon(reference, current), expected.jensenShannon);
    expectClose(kolmogorovSmirnov(reference, current), expected.kolmogorovSmirnov);
    // SciPy was given 400 points in each bin where ours is the integral.
    expectClose(wasserstein(reference, current, edges), expected.wasserstein, 1e-4);
  });

  it('are zero for equal shares and the same in both directions', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1_000), { minLength: 4, maxLength: 4 }),
        fc.array(fc.nat(1_000), { minLength: 4, maxLength: 4 }),
        (left, right) => {
          fc.pre(left.some((count) => count > 0) && right.some((count) => count > 0));
          for (const distance of [populationStability, jensenShannon, kolmogorovSmirnov]) {
            expect(distance(left, left)).toBeCloseTo(0, 7);
            expect(distance(left, right)).toBeCloseTo(distance(right, left), 9);
            expect(distance(left, right)).toBeGreaterThanOrEqual(0);
          }
          expect(wasserstein(left, right, [0, 1, 3, 4, 9])).toBeCloseTo(wasserstein(right, left, [0, 1, 3, 4, 9]), 9);
        },
      ),
    );
  });
});

describe('corrections', () => {
  it('agree with SciPy', () => {
    const { p, bh, holm } = FIGURES.correction;
    adjustPValues(p, 'benjamini-hochberg').forEach((value, index) => expectClose(value, bh[index] as number));
    adjustPValues(p, 'holm').forEach((value, index) => expectClose(value, holm[index] as number));
  });

  it('leave out what could not be tested', () => {
    const [first, second, third] = adjustPValues([0.01, Number.NaN, 0.02], 'holm');
    expect([first, third]).toEqual([0.02, 0.02]);
    expect(second).toBeNaN();
  });
});

const BINS = 16;
const EDGES = Array.from({ length: BINS + 1 }, (_, edge) => edge);

/**
 * A small generator of its own: the rates below must not depend on who else draws numbers. The state is mixed, because sums of
 * neighbours of a plain congruential sequence vary less than those of random numbers.
 */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 15), 0x85_eb_ca_6b);
    return ((Math.imul(mixed ^ (mixed >>> 13), 0xc2_b2_ae_35) >>> 8) + 0.5) / 2 ** 24;
  };
}

/** Sessions whose rows lie around a bin of their own: nothing but chance, and still far from independent rows. */
function drawSessions(random: () => number, sessions: number, reach: number): number[][] {
  return Array.from({ length: sessions }, () => {
    const centre = random() * BINS;
    const counts = Array.from({ length: BINS }, () => 0);
    for (let row = 0; row < 60; row += 1) {
      const bin = Math.floor((((centre + (random() - 0.5) * 2 * reach) % BINS) + BINS) % BINS);
      counts[bin] = (counts[bin] as number) + 1;
    }
    return counts;
  });
}

function falseAlarmRates(isClustered: boolean, reach: number): Record<string, number> {
  const random = randomNumbers(20_261_121);
  const rounds = 400;
  const alarms = { homogeneity: 0, kolmogorov: 0, wasserstein: 0 };
  for (let round = 0; round < rounds; round += 1) {
    const sides = twoSides(drawSessions(random, 12, reach), drawSessions(random, 9, reach), isClustered);
    if (homogeneityPValue(sides) < 0.05) alarms.homogeneity += 1;
    if (kolmogorovPValue(sides) < 0.05) alarms.kolmogorov += 1;
    if (wassersteinPValue(sides, EDGES) < 0.05) alarms.wasserstein += 1;
  }
  return Object.fromEntries(Object.entries(alarms).map(([name, count]) => [name, count / rounds]));
}

describe('false alarms where nothing has changed', () => {
  it('stay at the level for independent rows', () => {
    const rates = falseAlarmRates(false, BINS / 2);
    for (const [name, rate] of Object.entries(rates)) expect(rate, name).toBeLessThan(0.08);
    expect(rates['homogeneity']).toBeGreaterThan(0.02);
    expect(rates['wasserstein']).toBeGreaterThan(0.02);
  });

  it('stay near the level for sessions that differ much, where counting rows would alarm nearly always', () => {
    const naive = falseAlarmRates(false, 2);
    for (const [name, rate] of Object.entries(naive)) expect(rate, name).toBeGreaterThan(0.8);
    const corrected = falseAlarmRates(true, 2);
    for (const [name, rate] of Object.entries(corrected)) expect(rate, name).toBeLessThan(0.09);
  });

  it('stay near the level when the rows of a session all lie a little higher or lower', () => {
    const random = randomNumbers(5);
    const normal = (): number => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    const shifted = (sessions: number): number[][] =>
      Array.from({ length: sessions }, () => {
        const centre = BINS / 2 + 1.2 * normal();
        const counts = Array.from({ length: BINS }, () => 0);
        for (let row = 0; row < 30; row += 1) {
          const bin = Math.max(0, Math.min(BINS - 1, Math.floor(centre + 1.6 * normal())));
          counts[bin] = (counts[bin] as number) + 1;
        }
        return counts;
      });
    const rounds = 400;
    let alarms = 0;
    for (let round = 0; round < rounds; round += 1)
      if (wassersteinPValue(twoSides(shifted(24), shifted(18), true), EDGES) < 0.05) alarms += 1;
    expect(alarms / rounds).toBeGreaterThan(0.02);
    expect(alarms / rounds).toBeLessThan(0.08);
  });

  it('stay near the level when sessions are of very different length', () => {
    const random = randomNumbers(3);
    const stretched = (sessions: number): number[][] =>
      drawSessions(random, sessions, 2).map((counts, session) => counts.map((count) => count * (1 + (session % 4))));
    const rounds = 300;
    let alarms = 0;
    for (let round = 0; round < rounds; round += 1) {
      const sides = twoSides(stretched(12), stretched(12), true);
      if (Math.min(kolmogorovPValue(sides), wassersteinPValue(sides, EDGES)) < 0.01) alarms += 1;
    }
    expect(alarms / rounds).toBeLessThan(0.04);
  });

  it('know what one long session among short ones is worth', () => {
    const short = Array.from({ length: 9 }, () => [5, 5]);
    expect(equalGroups(short)).toBeCloseTo(9, 9);
    expect(equalGroups([...short, [450, 450]])).toBeLessThan(1.3);
  });

  it('do not cost the alarm when all sessions have moved', () => {
    const random = randomNumbers(7);
    const still = drawSessions(random, 12, 6);
    const moved = drawSessions(random, 12, 6).map((counts) => counts.map((count, bin) => (bin < 8 ? 0 : count * 2)));
    const sides = twoSides(still, moved, true);
    expect(homogeneityPValue(sides)).toBeLessThan(1e-3);
    expect(kolmogorovPValue(sides)).toBeLessThan(1e-3);
    expect(wassersteinPValue(sides, EDGES)).toBeLessThan(1e-3);
  });
});

describe('rates', () => {
  it('of clustered rows count as fewer rows', () => {
    expect(effectiveRate({ hits: 200, rows: 1_000 }, 10)).toEqual({ hits: 20, rows: 100 });
    const naive = fisherPValue({ hits: 0, rows: 1_000 }, { hits: 60, rows: 1_000 }, 'greater');
    const corrected = fisherPValue({ hits: 0, rows: 50 }, effectiveRate({ hits: 60, rows: 1_000 }, 20), 'greater');
    expect(naive).toBeLessThan(1e-15);
    expect(corrected).toBeGreaterThan(0.05);
  });
});
