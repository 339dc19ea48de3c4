/** Small pieces of SQL that several parts of the batch engine write. */
import { SAMPLE_ABS_MAX } from '@fleetloop/schemas/features';

/** A number as a DOUBLE literal; the exponent keeps DuckDB from reading it as a DECIMAL first, which would round twice. */
export function double(value: number): string {
  return value.toExponential();
}

/** Division of BIGINTs rounded down, also for stamps before 1970. */
export function floorDivide(dividend: string, divisor: bigint): string {
  return `((${dividend}) // ${divisor} - CASE WHEN (${dividend}) % ${divisor} < 0 THEN 1 ELSE 0 END)`;
}

/** The value, or NULL where it is not finite or beyond what counts as a sample. NaN is above every number in DuckDB's order. */
export function usable(sql: string): string {
  return `CASE WHEN abs(${sql}) <= ${double(SAMPLE_ABS_MAX)} THEN ${sql} END`;
}
