/** A plot for a terminal: two by four points of Braille in each character, spikes and gaps as in the SVG. */
import { drawnRange } from './plot-svg.ts';
import type { PlotSeries } from './plot-series.ts';

const CELLS = 72;
const ROWS = 8;
/** Points across and down one character. */
const [ACROSS, DOWN] = [2, 4] as const;
export const TEXT_COLUMNS = CELLS * ACROSS;
/** Bits of the points of a Braille character, column by column from the top (Unicode 2800). */
const POINTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;
const BLANK = 0x2800;

export function plotText(title: string, unit: string, series: PlotSeries): string {
  const { min, max } = drawnRange(series);
  const heightPoints = ROWS * DOWN;
  const rowOf = (value: number): number => Math.round(((max - value) / (max - min)) * (heightPoints - 1));
  const cells = Array.from({ length: ROWS }, () => new Uint8Array(CELLS));
  for (const [index, column] of series.columns.entries()) {
    if (column === undefined) continue;
    for (let row = rowOf(column.max); row <= rowOf(column.min); row += 1) {
      const line = cells[Math.floor(row / DOWN)];
      const cell = Math.floor(index / ACROSS);
      if (line !== undefined) line[cell] = (line[cell] as number) | (POINTS[index % ACROSS]?.[row % DOWN] ?? 0);
    }
  }
  const labels = [label(max), ...Array.from({ length: ROWS - 2 }, () => ''), label(min)];
  const width = Math.max(...labels.map((text) => text.length));
  const lines = cells.map((line, row) => {
    const dots = [...line].map((bits) => String.fromCodePoint(BLANK + bits)).join('');
    return `${(labels[row] ?? '').padStart(width)} │${dots}`;
  });
  const seconds = (Number(series.endNs - series.startNs) / 1e9).toFixed(1);
  const gaps = series.gaps.map(({ fromNs, toNs }) => {
    const at = (Number(fromNs - series.startNs) / 1e9).toFixed(1);
    return `gap of ${(Number(toNs - fromNs) / 1e9).toFixed(1)} s at ${at} s`;
  });
  const shown =
    gaps.length > GAPS_SHOWN ? [...gaps.slice(0, GAPS_SHOWN), `${gaps.length - GAPS_SHOWN} more gaps`] : gaps;
  const heading = `${title}${unit === '' ? '' : ` (${unit})`}: ${series.values} values in ${seconds} s`;
  return [heading, ...lines, ...shown].join('\n');
}

const GAPS_SHOWN = 5;

function label(value: number): string {
  return String(Number(value.toPrecision(4)));
}
