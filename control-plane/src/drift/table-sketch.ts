/**
 * The sketch of a table: for each value of the key columns and each group of sessions, the counters of every feature. Merging is
 * adding; it is associative and commutative to the byte, and equal to the sketch of all rows together.
 */
import { canonicalJson, FleetError, type JsonValue } from '@fleetloop/schemas';
import { z } from 'zod';
import { cellCount, clearExtremes, countCells, mergeCells, SKETCH_ROWS_MAX } from './numeric-cells.ts';
import {
  definitionDigest,
  hashText,
  type NumericFeature,
  SESSION_GROUPS,
  type SketchDefinition,
} from './sketch-definition.ts';

/** Key values times session groups in one sketch; a key with more values is no key but a measurement. */
export const UNITS_MAX = 20_000;
/** Names of new categories that a sketch keeps: those with the least hashes, so that any order of merges keeps the same. */
export const NEW_NAMES_MAX = 16;
const COUNTERS_MAX = 2 ** 26;

export type CategoryCounts = {
  /** Of the known categories, in their order. */
  readonly known: Float64Array;
  fresh: number;
  missing: number;
  freshNames: readonly string[];
};

/** The rows of one value of the keys and one group of sessions. Mutated while rows are counted. */
export type SketchUnit = {
  readonly key: readonly string[];
  readonly group: number;
  rows: number;
  /** Cells of all numeric features, one after another. */
  readonly cells: Float64Array;
  readonly categories: readonly CategoryCounts[];
};

type Layout = {
  readonly numeric: readonly { readonly feature: NumericFeature; readonly from: number }[];
  readonly cells: number;
  readonly categories: readonly number[];
};

export class TableSketch {
  readonly definition: SketchDefinition;
  readonly definitionDigest: string;
  readonly layout: Layout;
  readonly #units = new Map<string, SketchUnit>();
  readonly #unitsMax: number;

  constructor(definition: SketchDefinition) {
    this.definition = definition;
    this.definitionDigest = definitionDigest(definition);
    this.layout = layoutOf(definition);
    this.#unitsMax = Math.min(UNITS_MAX, Math.floor(COUNTERS_MAX / Math.max(1, this.layout.cells)));
  }

  /** The unit of a key and a group, empty if it is new. @throws FleetError DRIFT_INPUT when there are too many */
  unit(key: readonly string[], group: number): SketchUnit {
    const id = unitId(key, group);
    const known = this.#units.get(id);
    if (known !== undefined) return known;
    if (this.#units.size >= this.#unitsMax) {
      throw new FleetError(
        'DRIFT_INPUT',
        `the keys ${this.definition.keys.map((each) => each.name).join(', ')} take more than ${this.#unitsMax} combinations with the groups of sessions: use fewer or coarser keys`,
      );
    }
    const unit = emptyUnit(key, group, this.layout);
    this.#units.set(id, unit);
    return unit;
  }

  /** Units in the order of their keys. */
  units(): readonly SketchUnit[] {
    return [...this.#units].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, unit]) => unit);
  }

  get rows(): number {
    return this.units().reduce((sum, unit) => sum + unit.rows, 0);
  }

  /** Adds another sketch to this one. @throws FleetError DRIFT_SKETCH when the definitions differ or the rows are too many */
  add(other: TableSketch): void {
    if (other.definitionDigest !== this.definitionDigest) {
      throw new FleetError('DRIFT_SKETCH', 'the sketches were made by different definitions: sketch both anew by one');
    }
    for (const unit of other.units()) this.#addUnit(unit);
  }

  /** Canonical JSON: equal counts give equal bytes. */
  toBytes(): Uint8Array {
    const units = this.units()
      .filter((unit) => unit.rows > 0)
      .map((unit) => unitJson(unit, this.layout));
    const document = { kind: 'table-sketch', definition: this.definitionDigest, units };
    return Buffer.from(canonicalJson(document as JsonValue), 'utf8');
  }

  #addUnit(other: SketchUnit): void {
    const unit = this.unit(other.key, other.group);
    if (unit.rows + other.rows > SKETCH_ROWS_MAX) {
      throw new FleetError(
        'DRIFT_SKETCH',
        `a unit of a sketch counts at most ${SKETCH_ROWS_MAX} rows: use shorter windows`,
      );
    }
    addUnit(unit, other, this.layout);
  }
}

/** Adds one unit to another of the same definition. */
export function addUnit(unit: SketchUnit, other: SketchUnit, layout: Layout): void {
  unit.rows += other.rows;
  for (const { feature, from } of layout.numeric) mergeCells(unit.cells, other.cells, from, feature);
  unit.categories.forEach((counts, index) => addCategories(counts, other.categories[index] as CategoryCounts));
}

/** A unit without rows. */
export function emptyUnit(key: readonly string[], group: number, layout: Layout): SketchUnit {
  const cells = new Float64Array(layout.cells);
  for (const { feature, from } of layout.numeric) clearExtremes(cells, from, feature);
  const categories = layout.categories.map((length) => ({
    known: new Float64Array(length),
    fresh: 0,
    missing: 0,
    freshNames: [],
  }));
  return { key, group, rows: 0, cells, categories };
}

/** Keeps the names with the least hashes. */
export function leastNames(names: readonly string[]): readonly string[] {
  return [...new Set(names)]
    .toSorted((left, right) => hashText(left) - hashText(right) || (left < right ? -1 : 1))
    .slice(0, NEW_NAMES_MAX);
}

const Count = z.number().min(0);
const UnitJson = z.strictObject({
  key: z.array(z.string()),
  group: z
    .int()
    .min(0)
    .max(SESSION_GROUPS - 1),
  rows: z.int().min(0).max(SKETCH_ROWS_MAX),
  numeric: z.array(
    z.strictObject({ counts: z.array(z.number()), min: z.number().nullable(), max: z.number().nullable() }),
  ),
  categories: z.array(
    z.strictObject({
      known: z.array(Count),
      fresh: Count,
      missing: Count,
      freshNames: z.array(z.string()).max(NEW_NAMES_MAX),
    }),
  ),
});
const SketchJson = z.strictObject({
  kind: z.literal('table-sketch'),
  definition: z.string(),
  units: z.array(UnitJson).max(UNITS_MAX),
});

/** @throws FleetError DRIFT_SKETCH when the bytes are no sketch of this definition */
export function parseTableSketch(bytes: Uint8Array, definition: SketchDefinition): TableSketch {
  const sketch = new TableSketch(definition);
  const parsed = SketchJson.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  if (!parsed.success || parsed.data.definition !== sketch.definitionDigest) {
    throw new FleetError('DRIFT_SKETCH', 'the bytes are not a sketch that was made by this definition');
  }
  for (const json of parsed.data.units) fillUnit(sketch.unit(json.key, json.group), json, sketch.layout);
  return sketch;
}

function layoutOf(definition: SketchDefinition): Layout {
  const numeric: { feature: NumericFeature; from: number }[] = [];
  let cells = 0;
  for (const feature of definition.features) {
    if (feature.kind !== 'numeric') continue;
    numeric.push({ feature, from: cells });
    cells += cellCount(feature);
  }
  const categories = definition.features.flatMap((each) => (each.kind === 'category' ? [each.categories.length] : []));
  return { numeric, cells, categories };
}

const unitId = (key: readonly string[], group: number): string =>
  JSON.stringify([...key, String(group).padStart(3, '0')]);

function addCategories(into: CategoryCounts, other: CategoryCounts): void {
  other.known.forEach((count, index) => {
    into.known[index] = (into.known[index] as number) + count;
  });
  into.fresh += other.fresh;
  into.missing += other.missing;
  into.freshNames = leastNames([...into.freshNames, ...other.freshNames]);
}

function unitJson(unit: SketchUnit, layout: Layout): JsonValue {
  const numeric = layout.numeric.map(({ feature, from }) => {
    const end = from + countCells(feature);
    return {
      counts: [...unit.cells.subarray(from, end)],
      min: finite(unit.cells[end]),
      max: finite(unit.cells[end + 1]),
    };
  });
  const categories = unit.categories.map((counts) => ({ ...counts, known: [...counts.known] }));
  return { key: unit.key, group: unit.group, rows: unit.rows, numeric, categories } as unknown as JsonValue;
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;

function fillUnit(unit: SketchUnit, json: z.infer<typeof UnitJson>, layout: Layout): void {
  const isFitting =
    json.numeric.length === layout.numeric.length &&
    json.numeric.every(
      ({ counts }, index) => counts.length === countCells(layout.numeric[index]?.feature as NumericFeature),
    ) &&
    json.categories.length === layout.categories.length &&
    json.categories.every(({ known }, index) => known.length === layout.categories[index]);
  if (!isFitting || unit.rows > 0)
    throw new FleetError('DRIFT_SKETCH', 'a unit of the sketch does not fit its definition');
  unit.rows = json.rows;
  layout.numeric.forEach(({ feature, from }, index) => {
    const { counts, min, max } = json.numeric[index] as (typeof json.numeric)[number];
    unit.cells.set(counts, from);
    unit.cells[from + countCells(feature)] = min ?? Infinity;
    unit.cells[from + countCells(feature) + 1] = max ?? -Infinity;
  });
  unit.categories.forEach((target, index) => {
    const { known, fresh, missing, freshNames } = json.categories[index] as (typeof json.categories)[number];
    target.known.set(known);
    target.fresh = fresh;
    target.missing = missing;
    target.freshNames = freshNames;
  });
}
