/** One group of rows of the bench `edge`: each stands in a file of its own and is listed in edge.bench.ts. */
import type { Measurement } from '../measurement.ts';

export type EdgeContext = {
  readonly repeats: number;
  /** How long a figure that is measured in real time may take. */
  readonly minutes: number;
  readonly signal: AbortSignal;
  /** Folder for what the figure writes; it is removed afterwards. */
  readonly folder: string;
  /** Tells on standard error how far it is. */
  readonly onProgress: (line: string) => void;
};

export type EdgeFigure = {
  /** What `--only` looks in. */
  readonly name: string;
  readonly run: (context: EdgeContext) => Promise<readonly Measurement[]>;
};
