/** The control-plane process: `node control-plane.ts --config FILE [--roles api,ingest,project,worker]`. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { FleetError } from '@fleetloop/schemas';
import { pino } from 'pino';
import { configReference, type ControlPlaneConfig, parseControlPlaneConfig } from '../config/control-plane-config.ts';
import { type Role, ROLES } from './control-plane-context.ts';
import { runControlPlane } from './run-control-plane.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const STDERR = 2;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { config: { type: 'string' }, roles: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    process.stdout.write(helpText());
    return;
  }
  const roles = parseRoles(values.roles);
  const config = await readConfig(values.config);
  const logger = pino({ level: config.logLevel }, pino.destination({ fd: STDERR, sync: false }));
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  await runControlPlane({
    config,
    roles,
    logger,
    signal: stop.signal,
    onReady: (url) => process.stdout.write(`${JSON.stringify({ event: 'control-plane.ready', url })}\n`),
  });
}

async function readConfig(path: string | undefined): Promise<ControlPlaneConfig> {
  if (path === undefined) throw new FleetError('CONFIG_INVALID', 'name a configuration: --config FILE');
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new FleetError('CONFIG_INVALID', `the configuration ${path} cannot be read`, { cause });
  });
  return parseControlPlaneConfig(parseJson(text, path));
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
  throw new FleetError('CONFIG_INVALID', `--roles takes some of ${ROLES.join(',')}, not ${text}`);
}

function helpText(): string {
  const values = configReference().map(
    ({ path, meaning, default: preset }) =>
      `  ${path}: ${meaning}${preset === undefined ? '' : ` (default ${JSON.stringify(preset)})`}`,
  );
  return `usage: control-plane --config FILE [--roles ${ROLES.join(',')}]\n\nvalues of the configuration (JSON):\n${values.join('\n')}\n`;
}

try {
  await main();
  process.exit(0);
} catch (error) {
  const failure = FleetError.from(error);
  process.stderr.write(`control-plane: ${failure.code}: ${failure.message}\n`);
  process.exit(failure.code === 'CONFIG_INVALID' ? EXIT_USAGE : EXIT_FAILED);
}
