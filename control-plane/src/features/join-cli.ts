/** `fleetloop feature join`: what was known at given instants, from feature tables in files, without any server. */
import { FleetError } from '@fleetloop/schemas';
import { Command } from 'commander';
import type { FeatureIo } from './feature-files.ts';
import { joinPointInTime, type JoinReport } from './point-in-time.ts';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

type JoinOptions = {
  readonly entities: string;
  readonly features: readonly string[];
  readonly maxAge: string;
  readonly delay: string;
  readonly out: string;
  readonly entityColumn: string;
  readonly timeColumn: string;
  readonly json?: true;
};

export function featureJoinCommand(io: Pick<FeatureIo, 'print' | 'interruption'>): Command {
  return new Command('join')
    .description(
      'join feature tables to instants: for each, the newest features that were known then, and nothing later',
    )
    .requiredOption('--entities <file>', 'Parquet: whom and when (entity column and instant column, others are kept)')
    .requiredOption('--features <file...>', 'Parquet tables of features; NAME=FILE calls their columns NAME__column')
    .requiredOption('--max-age <duration>', 'older features count as missing: 500ms, 10s, 5m, 2h, 1d')
    .requiredOption('--out <file>', 'the Parquet file to write')
    .option('--delay <duration>', "how long after a window's end its features can be known", '0ms')
    .option('--entity-column <name>', 'column that names the entity, in all tables', 'session')
    .option('--time-column <name>', 'column of the instants: ns since 1970, or a timestamp', 'event_time_ns')
    .option('--json', 'print the counts as JSON')
    .action(async (options: JoinOptions) => {
      const { entities, out, entityColumn, timeColumn, json } = options;
      const request = {
        entities,
        out,
        entityColumn,
        timeColumn,
        features: options.features.map(parseTable),
        maxAgeMs: parseDurationMs(options.maxAge),
        delayMs: parseDurationMs(options.delay),
      };
      const report = await joinPointInTime(request, io.interruption());
      io.print(json === true ? JSON.stringify({ out, ...report }, null, 2) : describe(report, out));
    });
}

/** @throws FleetError REQUEST_INVALID */
export function parseDurationMs(text: string): number {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  if (match === null)
    throw new FleetError('REQUEST_INVALID', `${JSON.stringify(text)} is no duration: write 500ms, 10s, 5m, 2h or 1d`);
  return Number(match[1]) * (UNITS_MS[match[2] as string] as number);
}

function parseTable(text: string): { readonly path: string; readonly name?: string } {
  const match = /^([A-Za-z][A-Za-z0-9_]{0,62})=(.+)$/.exec(text);
  return match === null ? { path: text } : { name: match[1] as string, path: match[2] as string };
}

function describe({ entities, tables }: JoinReport, out: string): string {
  const lines = tables.map(
    ({ path, features, matched, tooOld }) =>
      `  ${path}: ${features} features, ${matched} of ${entities} matched, ${tooOld} only with older ones`,
  );
  return [`${out}: ${entities} rows`, ...lines].join('\n');
}
