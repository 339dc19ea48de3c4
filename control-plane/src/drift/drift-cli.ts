/** `fleetloop feature drift` and `feature bias`: over files on this machine without any server, or over the control plane's workers. */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { FleetError, isDigest } from '@fleetloop/schemas';
import { Command } from 'commander';
import type { FleetClient } from '../api/fleet-io.ts';
import { renderTable } from '../api/text-table.ts';
import { followWorkflow } from '../features/follow-workflow.ts';
import type { CommandIo } from '../ledger/command-io.ts';
import type { BiasReport } from './audit-bias.ts';
import { parseBiasAudit } from './bias-audit.ts';
import { parseDriftMonitor } from './drift-monitor.ts';
import type { DriftReport } from './drift-report.ts';
import { auditFiles, evaluateFiles } from './local-drift.ts';

interface DriftClient extends FleetClient {
  postBytes<Result>(path: string, bytes: Readable): Promise<Result>;
}
export type DriftIo = Omit<CommandIo, 'client'> & {
  readonly client: () => Promise<DriftClient>;
  readonly readText: (path: string) => Promise<string>;
  readonly progress: (line: string) => void;
  /** Aborts at Ctrl-C. */
  readonly interruption: () => AbortSignal;
};

type ServerOptions = { readonly onServer?: true; readonly json?: true };
type DriftOptions = ServerOptions & {
  readonly monitor: string;
  readonly reference: readonly string[];
  readonly current: readonly string[];
};
type BiasOptions = ServerOptions & { readonly audit: string; readonly table: readonly string[] };

/** The command `feature drift`. */
export function driftCommand(io: DriftIo): Command {
  return new Command('drift')
    .description(
      'say whether feature tables have moved away from a reference; exit code 1 when they have, or when that cannot be said',
    )
    .requiredOption('--monitor <file>', 'what is watched, by which tests, for whom (JSON)')
    .requiredOption('--reference <table...>', 'Parquet files, or digests of stored tables')
    .requiredOption('--current <table...>', 'Parquet files, or digests of stored tables')
    .option('--on-server', 'count on the workers of the control plane, and record the result in the ledger')
    .option('--json', 'print the whole report as JSON')
    .action(async (options: DriftOptions) => {
      const report = await (options.onServer === true ? driftOnServer(io, options) : driftHere(io, options));
      io.print(options.json === true ? JSON.stringify(report, null, 2) : describeDrift(report));
      if (report.verdict !== 'passed') io.answerNo();
    });
}

/** The command `feature bias`. */
export function biasCommand(io: DriftIo): Command {
  return new Command('bias')
    .description(
      'hold the groups of a table of predictions or features against each other; exit code 1 when they differ',
    )
    .requiredOption('--audit <file>', 'which attributes make the groups, and which differences matter (JSON)')
    .requiredOption('--table <table...>', 'Parquet files, or digests of stored tables')
    .option('--on-server', 'count on the workers of the control plane, and record the result in the ledger')
    .option('--json', 'print the whole report as JSON')
    .action(async (options: BiasOptions) => {
      const report = await (options.onServer === true ? biasOnServer(io, options) : biasHere(io, options));
      io.print(options.json === true ? JSON.stringify(report, null, 2) : describeBias(report));
      if (report.verdict !== 'passed') io.answerNo();
    });
}

async function driftHere(io: DriftIo, options: DriftOptions): Promise<DriftReport> {
  const monitor = parseDriftMonitor(await readJson(io, options.monitor, 'monitor'));
  const { reference, current } = options;
  return evaluateFiles({ monitor, reference, current, onProgress: io.progress }, io.interruption());
}

async function biasHere(io: DriftIo, options: BiasOptions): Promise<BiasReport> {
  return auditFiles(parseBiasAudit(await readJson(io, options.audit, 'audit')), options.table, io.interruption());
}

async function driftOnServer(io: DriftIo, options: DriftOptions): Promise<DriftReport> {
  const monitor = await readJson(io, options.monitor, 'monitor');
  const client = await io.client();
  const reference = await storeTables(io, client, options.reference);
  return evaluateOnServer(io, client, { monitor, reference, current: await storeTables(io, client, options.current) });
}

async function biasOnServer(io: DriftIo, options: BiasOptions): Promise<BiasReport> {
  const audit = await readJson(io, options.audit, 'audit');
  const client = await io.client();
  return evaluateOnServer(io, client, { audit, tables: await storeTables(io, client, options.table) });
}

/** Digests of tables; those that are files here are stored first. */
async function storeTables(io: DriftIo, client: DriftClient, tables: readonly string[]): Promise<readonly string[]> {
  const digests: string[] = [];
  for (const table of tables) {
    if (isDigest(table)) {
      digests.push(table);
      continue;
    }
    const stored = await client.postBytes<{ readonly table: string }>('/v1/drift/tables', createReadStream(table));
    io.progress(`stored ${table} as ${stored.table}`);
    digests.push(stored.table);
  }
  return digests;
}

/** Waits for the report, telling the progress; Ctrl-C cancels the evaluation. */
async function evaluateOnServer<Report>(io: DriftIo, client: DriftClient, body: unknown): Promise<Report> {
  const signal = io.interruption();
  const { evaluationId } = await client.post<{ readonly evaluationId: string }>('/v1/drift', body);
  const route = `/v1/drift/${evaluationId}`;
  io.progress(`evaluation ${evaluationId}`);
  const options = { progress: io.progress, signal, atInterruption: 'cancel' } as const;
  await followWorkflow(client, { workflowId: evaluationId, route }, options);
  return (await client.get<{ readonly result: Report }>(route)).result;
}

async function readJson(io: DriftIo, path: string, what: string): Promise<unknown> {
  try {
    return JSON.parse(await io.readText(path));
  } catch (cause) {
    if (cause instanceof FleetError) throw cause;
    throw new FleetError('DRIFT_MONITOR_INVALID', `the ${what} ${path} is not JSON`, { cause });
  }
}

function describeDrift(report: DriftReport): string {
  const { passed, failed, inconclusive } = report.counts;
  const head = `${report.verdict}: ${passed} tests passed, ${failed} failed, ${inconclusive} inconclusive over ${report.rows.reference} reference and ${report.rows.current} current rows`;
  const shown = report.results.filter(({ verdict }) => verdict === 'failed');
  const rows = shown.map((each) => ({
    ...each,
    where: [each.slice, ...each.season].join(' '),
    reference: each.reference.mean,
    current: each.current.mean,
  }));
  const columns = ['feature', 'where', 'test', 'statistic', 'threshold', 'pAdjusted', 'reference', 'current'];
  const reasons = [
    ...new Set(report.results.filter((each) => each.verdict === 'inconclusive').map(({ reason }) => reason)),
  ];
  const alerts = report.alerts.map(({ severity, owner, message }) => `${severity} for ${owner}: ${message}`);
  return [
    head,
    ...(rows.length === 0 ? [] : [renderTable(rows, columns)]),
    ...alerts,
    ...reasons.map((reason) => `inconclusive: ${reason}`),
  ].join('\n');
}

function describeBias(report: BiasReport): string {
  const { passed, failed, inconclusive } = report.counts;
  const figure = (each: { readonly value: number; readonly lower: number; readonly upper: number } | null): string =>
    each === null ? '-' : `${each.value.toFixed(3)} [${each.lower.toFixed(3)}, ${each.upper.toFixed(3)}]`;
  const rows = report.results.map((each) => ({ ...each, own: figure(each.own), others: figure(each.others) }));
  const columns = ['attribute', 'group', 'measure', 'own', 'others', 'difference', 'pAdjusted', 'verdict', 'reason'];
  return `${report.verdict}: ${passed} comparisons passed, ${failed} failed, ${inconclusive} inconclusive over ${report.rows} rows\n${renderTable(rows, columns)}`;
}
