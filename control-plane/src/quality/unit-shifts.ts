/** Why: a value that goes on in another unit is the one before it, converted; which conversion that was names the two units. */
import { unitConversion } from '@fleetloop/schemas';

/** From one unit to another: what was `x` goes on as `x * scale + offset`. */
export type UnitShift = {
  readonly from: string;
  readonly to: string;
  readonly scale: number;
  readonly offset: number;
  /** The same for a shift and the one back. */
  readonly pair: string;
};

/** `miss` is what a shift leaves unexplained, as a share of the leap. */
export type ShiftMatch = { readonly shift: UnitShift; readonly miss: number };

/** Whether all of them are units of one dimension. */
export function areConvertible(units: readonly string[]): boolean {
  try {
    unitShifts(units);
    return true;
  } catch {
    return false;
  }
}

/**
 * All shifts between units of one dimension.
 * @throws FleetError `UNIT_UNKNOWN` where they are of several
 */
export function unitShifts(units: readonly string[]): readonly UnitShift[] {
  return units.flatMap((from) =>
    units
      .filter((to) => to !== from)
      .map((to) => ({ from, to, pair: [from, to].toSorted().join(' '), ...unitConversion(from, to) })),
  );
}

/** The shift that explains a leap best. Both ends count: a small number is not near to zero because the other one is large. */
export function bestShift(shifts: readonly UnitShift[], before: number, after: number): ShiftMatch | undefined {
  let best: UnitShift | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const shift of shifts) {
    const rest = Math.abs(after - before * shift.scale - shift.offset) * Math.max(1, 1 / shift.scale);
    if (!(rest < least)) continue;
    best = shift;
    least = rest;
  }
  return best === undefined ? undefined : { shift: best, miss: least / Math.abs(after - before) };
}
