/** Encodings in SQL, step by step as the streaming engine applies them; NULL where a step is not defined. */
import { assertNever } from '@fleetloop/schemas';
import type { FeatureEncoding } from '@fleetloop/schemas/features';
import { double } from './sql-text.ts';

export function encodingSql(step: FeatureEncoding, value: string): string {
  switch (step.kind) {
    case 'clip':
      return `CASE WHEN ${value} < ${double(step.min)} THEN ${double(step.min)} WHEN ${value} > ${double(step.max)} THEN ${double(step.max)} ELSE ${value} END`;
    case 'log':
      return `CASE WHEN ${value} + ${double(step.offset)} > 0 THEN ln(${value} + ${double(step.offset)}) END`;
    case 'standardise':
      return `(${value} - ${double(step.mean)}) / ${double(step.std)}`;
    case 'bucketize':
      return `(${step.edges.map((edge) => `(${value} >= ${double(edge)})::INTEGER`).join(' + ')})::DOUBLE`;
    case 'one_hot':
      return oneHotSql(step, value);
    case 'ordinal':
      return codesSql(step, value, step.unknown === 'undefined' ? 'NULL' : String(step.categories.length));
    default:
      return assertNever(step);
  }
}

function oneHotSql(step: Extract<FeatureEncoding, { readonly kind: 'one_hot' }>, value: string): string {
  const wanted = step.categories.find((entry) => entry.label === step.category);
  const ofUnknown = step.unknown === 'undefined' ? 'NULL' : wanted === undefined ? '1' : '0';
  const codes = step.categories.map((entry) => double(entry.code)).join(', ');
  const isWanted = wanted === undefined ? 'false' : `${value} = ${double(wanted.code)}`;
  return `CASE WHEN ${value} IS NULL THEN NULL WHEN ${isWanted} THEN 1 WHEN ${value} IN (${codes}) THEN 0 ELSE ${ofUnknown} END::DOUBLE`;
}

function codesSql(
  step: Extract<FeatureEncoding, { readonly kind: 'ordinal' }>,
  value: string,
  ofUnknown: string,
): string {
  const branches = step.categories.map((entry, position) => `WHEN ${value} = ${double(entry.code)} THEN ${position}`);
  return `CASE WHEN ${value} IS NULL THEN NULL ${branches.join(' ')} ELSE ${ofUnknown} END::DOUBLE`;
}
