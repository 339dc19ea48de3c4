import { describe, expect, it } from 'vitest';
import { chooseVariant, compareGolden, indexOfMax, type VariantMeasurement } from './variant-choice.ts';

const accepted = { rows: 4, worstDifference: 0, agreement: 1, isAccepted: true };
const measured = (name: string, sizeBytes: number, medianMs: number, p99Ms = medianMs * 2): VariantMeasurement => ({
  name,
  sizeBytes,
  golden: accepted,
  medianMs,
  p99Ms,
});
const rejected = (name: string): VariantMeasurement => ({
  name,
  sizeBytes: 1,
  golden: { ...accepted, worstDifference: 0.5, isAccepted: false },
});

describe('the choice of a variant', () => {
  it('takes the fastest', () => {
    expect(chooseVariant([measured('fp32', 100, 2), measured('int8', 300, 1)], 10).name).toBe('int8');
  });

  it('takes the smaller of two that are equally fast', () => {
    expect(chooseVariant([measured('fp32', 100, 1), measured('int8', 30, 1.05)], 10).name).toBe('int8');
    expect(chooseVariant([measured('fp32', 100, 1), measured('int8', 300, 0.95)], 10).name).toBe('fp32');
  });

  it('looks at the 99th percentile for the budget', () => {
    expect(chooseVariant([measured('fp32', 100, 1, 50), measured('int8', 30, 5, 9)], 10).name).toBe('int8');
  });

  it('drops a variant that does not agree, however fast, and says so', () => {
    const choice = chooseVariant([measured('fp32', 100, 5), rejected('int8')], 20);
    expect(choice.name).toBe('fp32');
    expect(choice.reason).toMatch(/int8 \(1 bytes\) dropped: worst difference 0\.50/);
  });

  it('refuses when none agrees or none is fast enough', () => {
    expect(() => chooseVariant([rejected('fp32')], 10)).toThrow(expect.objectContaining({ code: 'INSTALL_GOLDEN' }));
    expect(() => chooseVariant([measured('fp32', 1, 11)], 10)).toThrow(
      expect.objectContaining({ code: 'INSTALL_LATENCY' }),
    );
  });
});

describe('comparing with golden outputs', () => {
  const golden = [
    [0.9, 0.1],
    [0.2, 0.8],
  ];
  const limits = { tolerance: 0.05, agreementMin: 0.5 };

  it('accepts outputs within the tolerance', () => {
    expect(
      compareGolden(
        [
          [0.88, 0.12],
          [0.2, 0.8],
        ],
        golden,
        limits,
      ),
    ).toMatchObject({ agreement: 1, isAccepted: true });
  });

  it('refuses one output beyond the tolerance, and too few equal classes', () => {
    expect(
      compareGolden(
        [
          [0.8, 0.2],
          [0.2, 0.8],
        ],
        golden,
        limits,
      ).isAccepted,
    ).toBe(false);
    expect(
      compareGolden(
        [
          [0.1, 0.9],
          [0.8, 0.2],
        ],
        golden,
        { ...limits, tolerance: 1 },
      ),
    ).toMatchObject({ agreement: 0, isAccepted: false });
  });

  it('counts a missing or broken output as infinitely far', () => {
    expect(compareGolden([[0.9, 0.1]], golden, { ...limits, tolerance: 1 }).worstDifference).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(
      compareGolden(
        [
          [Number.NaN, 0.1],
          [0.2, 0.8],
        ],
        golden,
        limits,
      ).isAccepted,
    ).toBe(false);
  });

  it('takes the first of equal maxima', () => {
    expect(indexOfMax([0.1, 0.4, 0.4])).toBe(1);
  });
});
