/** Ingest: its speed on both ways in, its memory, and whether a recording costs more when many are there. */
import type { Figure } from '../figure.ts';
import { ingestBench } from '../ingest.bench.ts';
import { measureMemory } from './ingest-memory.ts';
import { measureScale } from './ingest-scale.ts';
import { measureImport } from './ingest-speed.ts';

export const ingestFigures: readonly Figure[] = [
  { name: 'ingest-import', run: measureImport },
  { name: 'ingest-uplink', run: async ({ repeats, minutes, signal }) => ingestBench.run({ repeats, minutes, signal }) },
  { name: 'ingest-memory', run: measureMemory },
  { name: 'ingest-scale', run: measureScale },
];
