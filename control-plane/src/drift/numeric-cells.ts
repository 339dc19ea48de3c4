/**
 * The counters of one numeric feature in one run of doubles: all but the last two are integers that add up exactly in any order,
 * the last two are the least and the greatest value. Mutated in place: this is the loop that sees every value of every column.
 */
import type { NumericFeature } from './sketch-definition.ts';

/** Integers of the moments are held within ±2^24; with units of 2^-20 of the reference's span that is sixteen spans. */
const STEPS_MAX = 2 ** 24;
export const STEPS_PER_SPAN_EXPONENT = 20;
/** Squares are added in two halves, so that each sum stays below 2^53. */
const SQUARE_HALF = 2 ** 24;
/** Rows after which a half could pass 2^53. */
export const SKETCH_ROWS_MAX = 2 ** 28;

/** Positions behind the counts of the bins. */
const TAIL = ['missing', 'nonFinite', 'belowRange', 'aboveRange', 'stepSum', 'squareHigh', 'squareLow'] as const;
type TailCell = (typeof TAIL)[number];
const LOOKUP_CELLS = 512;

/** Bins: below the first edge, one between each two edges (the last closed above), above the last edge. */
export const binCount = (feature: NumericFeature): number => feature.edges.length + 1;
export const countCells = (feature: NumericFeature): number => binCount(feature) + TAIL.length;
/** With the least and the greatest value. */
export const cellCount = (feature: NumericFeature): number => countCells(feature) + 2;

export const cellAt = (feature: NumericFeature, cell: TailCell): number => binCount(feature) + TAIL.indexOf(cell);

/** Fills the two cells of the extremes as they are before any value. */
export function clearExtremes(cells: Float64Array, from: number, feature: NumericFeature): void {
  cells[from + countCells(feature)] = Infinity;
  cells[from + countCells(feature) + 1] = -Infinity;
}

/** Adds the cells of one sketch to those of another. */
export function mergeCells(into: Float64Array, other: Float64Array, from: number, feature: NumericFeature): void {
  const counts = from + countCells(feature);
  for (let index = from; index < counts; index += 1) into[index] = (into[index] as number) + (other[index] as number);
  into[counts] = Math.min(into[counts] as number, other[counts] as number);
  into[counts + 1] = Math.max(into[counts + 1] as number, other[counts + 1] as number);
}

/** Rows of one chunk, ordered by the block of cells that they belong to; the same for every column of the chunk. */
export type RowOrder = {
  /** Row numbers, those of one block side by side. */
  readonly order: Int32Array;
  /** Blocks that occur, and where the rows of each end in `order`. */
  readonly blocks: readonly { readonly cells: Float64Array; readonly end: number }[];
};
export type CountColumn = (values: Float64Array, rows: RowOrder) => void;

/**
 * Compiles the counting of one feature whose cells begin at `from`. NaN means missing, an infinity no finite number. A table finds
 * most bins in one comparison; sums of a block stay in registers until its rows end.
 */
export function compileNumeric(feature: NumericFeature, from: number): CountColumn {
  const { edges, centre, range } = feature;
  const last = edges.length - 1;
  const first = edges[0] as number;
  const top = edges[last] as number;
  const perCell = LOOKUP_CELLS / (top - first);
  const lookup = lookupTable(edges, first, perCell);
  const above = Float64Array.from([...edges.slice(1, last), Infinity]);
  const scale = 2 ** -feature.unitExponent;
  const rangeMin = range?.min ?? -Infinity;
  const rangeMax = range?.max ?? Infinity;
  return (values, { order, blocks }) => {
    let at = 0;
    for (const { cells, end } of blocks) {
      let sum = 0;
      let high = 0;
      let low = 0;
      let min = Infinity;
      let max = -Infinity;
      let missing = 0;
      let notFinite = 0;
      let below = 0;
      let over = 0;
      for (; at < end; at += 1) {
        const value = values[order[at] as number] as number;
        // Infinities and NaN alone differ from themselves here.
        if (value - value !== 0) {
          if (value === value) notFinite += 1;
          else missing += 1;
          continue;
        }
        let bin = 0;
        if (value > top) bin = last + 1;
        else if (value >= first) {
          bin = lookup[((value - first) * perCell) | 0] as number;
          while (value >= (above[bin] as number)) bin += 1;
          bin += 1;
        }
        cells[from + bin] = (cells[from + bin] as number) + 1;
        if (value < rangeMin) below += 1;
        else if (value > rangeMax) over += 1;
        if (value < min) min = value;
        if (value > max) max = value;
        let steps = Math.floor((value - centre) * scale + 0.5);
        if (steps > STEPS_MAX) steps = STEPS_MAX;
        else if (steps < -STEPS_MAX) steps = -STEPS_MAX;
        const square = steps * steps;
        const half = Math.floor(square * (1 / SQUARE_HALF));
        sum += steps;
        high += half;
        low += square - half * SQUARE_HALF;
      }
      addTail(cells, from + edges.length + 1, [missing, notFinite, below, over, sum, high, low]);
      // Adding zero turns a negative zero into zero: equal values must give equal bytes.
      const extremes = from + countCells(feature);
      cells[extremes] = Math.min(cells[extremes] as number, min) + 0;
      cells[extremes + 1] = Math.max(cells[extremes + 1] as number, max) + 0;
    }
  };
}

function addTail(cells: Float64Array, at: number, sums: readonly number[]): void {
  for (const [index, sum] of sums.entries()) cells[at + index] = (cells[at + index] as number) + sum;
}

/**
 * For each cell of an even grid, the highest bin whose lower edge is surely not above any value of the cell. The position in the
 * grid never falls while the value grows, so an edge whose own position is lower lies below the whole cell.
 */
function lookupTable(edges: readonly number[], first: number, perCell: number): Uint16Array {
  const lookup = new Uint16Array(LOOKUP_CELLS + 1);
  for (let cell = 0; cell <= LOOKUP_CELLS; cell += 1) {
    let bin = 0;
    while (bin + 2 < edges.length && ((((edges[bin + 1] as number) - first) * perCell) | 0) < cell) bin += 1;
    lookup[cell] = bin;
  }
  return lookup;
}

export type Moments = {
  readonly count: number;
  readonly mean: number;
  readonly standardDeviation: number;
  readonly min: number | null;
  readonly max: number | null;
};

/** Mean and standard deviation from the integer sums; far outliers count as sixteen spans away. */
export function momentsOf(cells: Float64Array, from: number, feature: NumericFeature): Moments {
  const at = (cell: TailCell): number => cells[from + cellAt(feature, cell)] as number;
  let count = 0;
  for (let bin = 0; bin < binCount(feature); bin += 1) count += cells[from + bin] as number;
  if (count === 0) return { count, mean: Number.NaN, standardDeviation: Number.NaN, min: null, max: null };
  const unit = 2 ** feature.unitExponent;
  const meanSteps = at('stepSum') / count;
  const meanSquare = (at('squareHigh') * SQUARE_HALF + at('squareLow')) / count;
  return {
    count,
    mean: feature.centre + meanSteps * unit,
    standardDeviation: Math.sqrt(Math.max(0, meanSquare - meanSteps * meanSteps)) * unit,
    min: cells[from + countCells(feature)] as number,
    max: cells[from + countCells(feature) + 1] as number,
  };
}
