/** The figures of the vehicle's agent, held against peers that are installed beside it for the purpose. */
import { benchOfFigures } from '../figure.ts';
import { closingFigures } from './closing-figures.ts';
import { mcapWriting } from './mcap-writing.ts';
import { hourFigures } from './hour-figures.ts';
import { liveFigures } from './live-figures.ts';
import { restartFigures } from './restart-figures.ts';
import { throughputFigures } from './throughput-figures.ts';
import { triggerFigures } from './trigger-figures.ts';
import { uplinkFigures } from './uplink-figures.ts';

export const edgeBench = benchOfFigures('edge', "the vehicle's agent beside its peers", [
  ...mcapWriting,
  ...triggerFigures,
  ...liveFigures,
  ...hourFigures,
  ...closingFigures,
  ...restartFigures,
  ...throughputFigures,
  ...uplinkFigures,
]);
