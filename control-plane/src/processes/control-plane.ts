/** The control-plane process: `node control-plane.ts --config FILE [--roles api,ingest,project,worker | --roles relay]`. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { FleetError } from '@fleetloop/schemas';
import { type Logger, pino } from 'pino';
import { configReference, parseControlPlaneConfig } from '../config/control-plane-config.ts';
import { parseRelayConfig, RelayConfig } from '../relay/relay-config.ts';
import { type Role, ROLES } from './control-plane-context.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const STDERR = 2;
/** The role of a region. It stands alone: a region has no ledger. */
const RELAY = 'relay';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { config: { type: 'string' }, roles: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    process.stdout.write(helpText());
    return;
  }
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  const document = await readDocument(values.config);
  if (values.roles === RELAY) await startRelay(document, stop.signal);
  else await startRoles(document, parseRoles(values.roles), stop.signal);
}

/** Imported only where it runs: a relay stays small without DuckDB and Temporal. */
async function startRelay(document: unknown, signal: AbortSignal): Promise<void> {
  const config = parseRelayConfig(document);
  const { runRelay } = await import('./run-relay.ts');
  await runRelay({ config, logger: makeLogger(config.logLevel), signal, onReady: () => announce('relay.ready', {}) });
}

async function startRoles(document: unknown, roles: readonly Role[], signal: AbortSignal): Promise<void> {
  const config = parseControlPlaneConfig(document);
  const { runControlPlane } = await import('./run-control-plane.ts');
  await runControlPlane({
    config,
    roles,
    logger: makeLogger(config.logLevel),
    signal,
    onReady: (url) => announce('control-plane.ready', { url }),
  });
}

function makeLogger(level: string): Logger {
  return pino({ level }, pino.destination({ fd: STDERR, sync: false }));
}

function announce(event: string, values: object): void {
  process.stdout.write(`${JSON.stringify({ event, ...values })}\n`);
}

async function readDocument(path: string | undefined): Promise<unknown> {
  if (path === undefined) throw new FleetError('CONFIG_INVALID', 'name a configuration: --config FILE');
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new FleetError('CONFIG_INVALID', `the configuration ${path} cannot be read`, { cause });
  });
  return parseJson(text, path);
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FleetError('CONFIG_INVALID', `the configuration ${path} is not JSON`, { cause });
  }
}

function parseRoles(text: string | undefined): readonly Role[] {
  if (text === undefined) return ROLES;
  const isRole = (name: string): name is Role => ROLES.some((role) => role === name);
  const names = text.split(',').map((name) => name.trim());
  const roles = names.filter(isRole);
  if (roles.length === names.length) return roles;
  throw new FleetError('CONFIG_INVALID', `--roles takes some of ${ROLES.join(',')}, or ${RELAY} alone, not ${text}`);
}

function helpText(): string {
  return [
    `usage: control-plane --config FILE [--roles ${ROLES.join(',')} | --roles ${RELAY}]`,
    `values of the configuration (JSON):\n${reference(configReference())}`,
    `values of the configuration of a relay (JSON):\n${reference(configReference(RelayConfig))}\n`,
  ].join('\n\n');
}

function reference(values: ReturnType<typeof configReference>): string {
  return values
    .map(
      ({ path, meaning, default: preset }) =>
        `  ${path}: ${meaning}${preset === undefined ? '' : ` (default ${JSON.stringify(preset)})`}`,
    )
    .join('\n');
}

try {
  await main();
  process.exit(0);
} catch (error) {
  const failure = FleetError.from(error);
  process.stderr.write(`control-plane: ${failure.code}: ${failure.message}\n`);
  process.exit(failure.code === 'CONFIG_INVALID' ? EXIT_USAGE : EXIT_FAILED);
}
