/** The figures of ledger, ingest, features and drift, held against peers that are installed beside them for the purpose. */
import { checkFigures } from './check-figures.ts';
import { driftFigures } from './drift-figures.ts';
import { featureFigures } from './feature-figures.ts';
import { joinFigures } from './join-figures.ts';
import { ledgerFigures } from './ledger-figures.ts';
import { lineageFigures } from './lineage-figures.ts';
import { benchOfFigures, type Figure } from '../figure.ts';
import { ingestFigures } from './ingest-figures.ts';

/** Each group of rows stands in a file of its own. */
const FIGURES: readonly Figure[] = [
  ...ledgerFigures,
  ...lineageFigures,
  ...featureFigures,
  ...joinFigures,
  ...driftFigures,
  ...ingestFigures,
  ...checkFigures,
];

export const dataBench = benchOfFigures('data', 'ledger, ingest, features and drift beside their peers', FIGURES);
