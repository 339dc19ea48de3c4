/** Columns of a plot lose no spike, and gaps are silences that the rate of the signal does not explain. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlotBuilder } from './plot-series.ts';
import { plotSvg } from './plot-svg.ts';

const SECOND = 1_000_000_000n;

describe('a plot', () => {
  it('has the lowest and the highest value of every column, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 500 }),
        (values) => {
          const builder = new PlotBuilder({ startNs: 0n, endNs: BigInt(values.length) }, 10);
          values.forEach((value, index) => builder.add(BigInt(index), value));
          const { columns, min, max } = builder.finish(BigInt(values.length));
          expect(Math.min(...columns.flatMap((column) => column?.min ?? []))).toBe(Math.min(...values));
          expect(Math.max(...columns.flatMap((column) => column?.max ?? []))).toBe(Math.max(...values));
          expect([min, max]).toEqual([Math.min(...values), Math.max(...values)]);
          expect(columns.reduce((sum, column) => sum + (column?.count ?? 0), 0)).toBe(values.length);
        },
      ),
    );
  });

  it('finds the one silence of a signal of 10 Hz, and counts what is no number', () => {
    const builder = new PlotBuilder({ startNs: 0n, endNs: 20n * SECOND }, 100);
    for (let index = 0n; index < 200n; index += 1n)
      if (index < 80n || index >= 110n) builder.add((index * SECOND) / 10n, Number(index));
    builder.add(19n * SECOND, Number.NaN);
    const series = builder.finish(20n * SECOND);
    expect(series.gaps).toEqual([{ fromNs: 7_900_000_000n, toNs: 11_000_000_000n }]);
    expect(series.notFinite).toBe(1);
    expect(plotSvg('<a & b>', 'm/s', series)).toContain('&#60;a &#38; b&#62; (m/s)');
  });
});
