/**
 * Why: bins are taken from an even sample of the reference. Samples of its partitions are drawn by many workers and come together
 * here: which rows are in the sample is decided row by row, so that the union is the same whoever drew which part, in any order.
 */
import { FleetError } from '@fleetloop/schemas';
import { z } from 'zod';
import { CATEGORIES_MAX } from './sketch-definition.ts';

/** What a fit needs to know of the reference. */
export type ReferenceSample = {
  /** Finite values of an even sample of the rows, by feature name, in any order. */
  readonly numeric: ReadonlyMap<string, Float64Array>;
  /** Distinct values of each category feature; with more than CATEGORIES_MAX, that many and one. */
  readonly categories: ReadonlyMap<string, readonly string[]>;
};

const Header = z.strictObject({
  kind: z.literal('reference-sample'),
  numeric: z.array(z.tuple([z.string(), z.int().min(0)])),
  categories: z.array(z.tuple([z.string(), z.array(z.string()).max(CATEGORIES_MAX + 1)])),
});
const NEWLINE = 0x0a;

/** A line of JSON, then the values of each feature in ascending order as doubles of this machine, which all that run Node share. */
export function sampleToBytes({ numeric, categories }: ReferenceSample): Uint8Array {
  const header: z.infer<typeof Header> = {
    kind: 'reference-sample',
    numeric: [...numeric].map(([name, values]) => [name, values.length]),
    categories: [...categories].map(([name, values]) => [name, values.toSorted()]),
  };
  const values = [...numeric.values()].map((each) => bytesOf(each.toSorted()));
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`, 'utf8'), ...values]);
}

/** @throws FleetError DRIFT_SKETCH when the bytes are no sample */
export function parseSample(bytes: Uint8Array): ReferenceSample {
  const end = bytes.indexOf(NEWLINE);
  const header = Header.safeParse(jsonOf(bytes.subarray(0, Math.max(0, end))));
  const count = header.data?.numeric.reduce((sum, [, values]) => sum + values, 0) ?? 0;
  if (!header.success || bytes.length !== end + 1 + count * Float64Array.BYTES_PER_ELEMENT)
    throw new FleetError('DRIFT_SKETCH', 'the bytes are not a sample of a reference');
  // Copied: a view of doubles has to begin at a multiple of eight bytes.
  const all = new Float64Array(Uint8Array.from(bytes.subarray(end + 1)).buffer);
  let at = 0;
  const numeric = header.data.numeric.map(([name, values]) => [name, all.subarray(at, (at += values))] as const);
  return { numeric: new Map(numeric), categories: new Map(header.data.categories) };
}

/** The sample of all rows together, from samples of some of them; of the same features, in any order. */
export function mergeSamples(samples: readonly ReferenceSample[]): ReferenceSample {
  const names = (of: (sample: ReferenceSample) => Iterable<string>): readonly string[] => [
    ...new Set(samples.flatMap((sample) => [...of(sample)])),
  ];
  const numeric = names((sample) => sample.numeric.keys()).map(
    (name) => [name, joined(samples.flatMap((sample) => sample.numeric.get(name) ?? []))] as const,
  );
  const categories = names((sample) => sample.categories.keys()).map((name) => {
    const values = new Set(samples.flatMap((sample) => sample.categories.get(name) ?? []));
    return [name, [...values].slice(0, CATEGORIES_MAX + 1)] as const;
  });
  return { numeric: new Map(numeric), categories: new Map(categories) };
}

/** Arrays one after another. */
export function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function bytesOf(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
