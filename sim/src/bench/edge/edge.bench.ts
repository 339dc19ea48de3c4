/** The figures of the vehicle's agent, held against peers that are installed beside it for the purpose. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, Measurement } from '../measurement.ts';
import { closingFigures } from './closing-figures.ts';
import type { EdgeFigure } from './edge-figure.ts';
import { mcapWriting } from './mcap-writing.ts';
import { hourFigures } from './hour-figures.ts';
import { liveFigures } from './live-figures.ts';
import { restartFigures } from './restart-figures.ts';
import { throughputFigures } from './throughput-figures.ts';
import { triggerFigures } from './trigger-figures.ts';
import { uplinkFigures } from './uplink-figures.ts';

const FIGURES: readonly EdgeFigure[] = [
  ...mcapWriting,
  ...triggerFigures,
  ...liveFigures,
  ...hourFigures,
  ...closingFigures,
  ...restartFigures,
  ...throughputFigures,
  ...uplinkFigures,
];

export const edgeBench: Bench = {
  name: 'edge',
  description: `the vehicle's agent beside its peers; --only chooses among: ${FIGURES.map(({ name }) => name).join(', ')}`,
  run: async ({ repeats, minutes, signal, only }) => {
    const chosen = FIGURES.filter(({ name }) => only === undefined || name.includes(only));
    if (chosen.length === 0) throw new Error(`no figure of edge has ${JSON.stringify(only)} in its name`);
    const measurements: Measurement[] = [];
    for (const figure of chosen) {
      const folder = await mkdtemp(join(tmpdir(), 'fleetloop-bench-'));
      const onProgress = (line: string): void => void process.stderr.write(`edge: ${figure.name}: ${line}\n`);
      try {
        measurements.push(...(await figure.run({ repeats, minutes, signal, folder, onProgress })));
      } finally {
        await rm(folder, { recursive: true });
      }
    }
    return measurements;
  },
};
