/** A plot as SVG that needs nothing else: no script, no font, no link. Equal series give equal bytes. */
import type { PlotSeries } from './plot-series.ts';

export const SVG_COLUMNS = 900;
const [LEFT, TOP, WIDTH, HEIGHT] = [90, 40, SVG_COLUMNS, 320] as const;
const TICKS = 5;

export function plotSvg(title: string, unit: string, series: PlotSeries): string {
  const { min, max } = drawnRange(series);
  const y = (value: number): string => (TOP + HEIGHT - ((value - min) / (max - min)) * HEIGHT).toFixed(1);
  const span = Number(series.endNs - series.startNs) || 1;
  const x = (timeNs: bigint): string => (LEFT + (Number(timeNs - series.startNs) / span) * WIDTH).toFixed(1);
  const gaps = series.gaps.map(
    ({ fromNs, toNs }) =>
      `<rect class="gap" x="${x(fromNs)}" y="${TOP}" width="${(Number(x(toNs)) - Number(x(fromNs))).toFixed(1)}" height="${HEIGHT}"><title>no value for ${(Number(toNs - fromNs) / 1e9).toFixed(3)} s</title></rect>`,
  );
  const ticks = Array.from({ length: TICKS }, (_, index) => {
    const value = min + ((max - min) * index) / (TICKS - 1);
    return `<text x="${LEFT - 8}" y="${y(value)}" text-anchor="end">${label(value)}</text><line class="grid" x1="${LEFT}" x2="${LEFT + WIDTH}" y1="${y(value)}" y2="${y(value)}"/>`;
  });
  const seconds = Array.from({ length: TICKS }, (_, index) => {
    const at = LEFT + (WIDTH * index) / (TICKS - 1);
    return `<text x="${at.toFixed(1)}" y="${TOP + HEIGHT + 20}" text-anchor="middle">${label((span * index) / (TICKS - 1) / 1e9)} s</text>`;
  });
  const note = `${series.values} values${series.notFinite > 0 ? `, ${series.notFinite} not finite` : ''}, from ${series.startNs} ns`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + 20} ${TOP + HEIGHT + 50}" role="img">`,
    `<title>${escape(title)}</title>`,
    '<style>text{font:12px sans-serif;fill:#333}.grid{stroke:#ddd}.gap{fill:#f6d5d5}path{fill:none;stroke:#1f5fa8;stroke-width:1}</style>',
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="${LEFT}" y="20">${escape(title)}${unit === '' ? '' : ` (${escape(unit)})`}</text>`,
    ...gaps,
    ...ticks,
    ...seconds,
    `<path d="${pathOf(series, y)}"/>`,
    `<text x="${LEFT}" y="${TOP + HEIGHT + 40}">${escape(note)}</text>`,
    '</svg>',
    '',
  ].join('\n');
}

/** A flat signal lies in the middle. */
export function drawnRange({ min, max, values }: PlotSeries): { readonly min: number; readonly max: number } {
  if (values === 0) return { min: 0, max: 1 };
  if (min < max) return { min, max };
  const margin = Math.abs(min) || 1;
  return { min: min - margin, max: max + margin };
}

/** Each column from its first value over its extremes to its last; a gap lifts the pen. */
function pathOf(series: PlotSeries, y: (value: number) => string): string {
  const parts: string[] = [];
  const isBroken = gapColumns(series);
  let isDown = false;
  for (const [index, column] of series.columns.entries()) {
    if (column === undefined) continue;
    const x = LEFT + (index + 0.5) * (WIDTH / series.columns.length);
    const points = column.count === 1 ? [column.last] : [column.first, column.min, column.max, column.last];
    const command = isDown && !isBroken(index) ? 'L' : 'M';
    parts.push(`${command}${points.map((value) => `${x.toFixed(1)},${y(value)}`).join('L')}`);
    // A value alone between two gaps would have no length.
    if (command === 'M' && points.length === 1) parts.push('h0.1');
    isDown = true;
  }
  return parts.join('');
}

/** Whether a gap ends in a column or lies between it and the one drawn before. */
function gapColumns({ gaps, startNs, endNs, columns }: PlotSeries): (index: number) => boolean {
  const span = Number(endNs - startNs) || 1;
  const ends = new Set(
    gaps.map(({ toNs }) => Math.min(columns.length - 1, Math.floor((Number(toNs - startNs) / span) * columns.length))),
  );
  return (index) => ends.has(index);
}

function label(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(2);
  return String(Number(value.toPrecision(5)));
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
