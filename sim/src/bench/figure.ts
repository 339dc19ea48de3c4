/** A bench that is made of figures, each in a file of its own, of which `--only` chooses some. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, Measurement } from './measurement.ts';

export type FigureContext = {
  readonly repeats: number;
  /** How long a figure that is measured in real time may take. */
  readonly minutes: number;
  readonly signal: AbortSignal;
  /** Folder for what the figure writes; it is removed afterwards. */
  readonly folder: string;
  /** Tells on standard error how far it is. */
  readonly onProgress: (line: string) => void;
};

/** One group of rows. */
export type Figure = {
  /** What `--only` looks in. */
  readonly name: string;
  readonly run: (context: FigureContext) => Promise<readonly Measurement[]>;
};

/** Runs the chosen figures one after another, each with a folder of its own. */
export function benchOfFigures(name: string, description: string, figures: readonly Figure[]): Bench {
  return {
    name,
    description: `${description}; --only chooses among: ${figures.map((figure) => figure.name).join(', ')}`,
    run: async ({ repeats, minutes, signal, only }) => {
      const chosen = figures.filter((figure) => only === undefined || figure.name.includes(only));
      if (chosen.length === 0) throw new Error(`no figure of ${name} has ${JSON.stringify(only)} in its name`);
      const measurements: Measurement[] = [];
      for (const figure of chosen) {
        const folder = await mkdtemp(join(tmpdir(), 'fleetloop-bench-'));
        const onProgress = (line: string): void => void process.stderr.write(`${name}: ${figure.name}: ${line}\n`);
        try {
          measurements.push(...(await figure.run({ repeats, minutes, signal, folder, onProgress })));
        } finally {
          await rm(folder, { recursive: true });
        }
      }
      return measurements;
    },
  };
}
