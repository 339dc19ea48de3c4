/** Composes an agent process from its configuration and runs it until it is told to stop. */
import { mkdir, readFile } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { pino } from 'pino';
import { LinkBlobFetcher } from '../adapters/link-blob-fetcher.ts';
import { NatsLink } from '../adapters/nats-link.ts';
import { nkeySigner } from '../adapters/nkey-signer.ts';
import { PlaylistFollower } from '../adapters/playlist-follower.ts';
import { SpoolFolder } from '../adapters/spool-folder.ts';
import { systemClock } from '../adapters/system-clock.ts';
import { toAgentLogger } from '../adapters/pino-logger.ts';
import { type AgentConfig, parseAgentConfig, shownConfig } from '../agent/agent-config.ts';
import { VehicleAgent } from '../agent/vehicle-agent.ts';
import { createModelRuntime } from '../infer/model-runtime.ts';
import type { AgentLogger } from '../ports.ts';

/**
 * Runs until the signal is aborted.
 * @throws FleetError CONFIG_INVALID, SPOOL_CORRUPT, INSTALL_INCOMPATIBLE, RECORD_WRITE
 */
export async function runAgent(configPath: string, signal: AbortSignal): Promise<void> {
  const config = parseAgentConfig(await readRequired(configPath, 'the configuration'), configPath);
  const logger = toAgentLogger(
    pino({ level: config.logLevel, base: { vehicleId: config.vehicleId } }, pino.destination({ fd: 2, sync: true })),
  );
  logger.info(shownConfig(config), 'agent.started');
  const seed = (await readRequired(config.nats.seedFile, 'the seed file')).trim();
  const signer = nkeySigner(seed);
  await mkdir(config.stateDir, { recursive: true });
  const { vehicleId } = config;
  const link = new NatsLink({ vehicleId, url: config.nats.url, jwt: config.nats.jwt, seed, logger });
  try {
    await runWithLink({ config, link, signer, logger, signal });
  } finally {
    await link.close();
    logger.info({}, 'agent.stopped');
  }
}

type Composition = {
  readonly config: AgentConfig;
  readonly link: NatsLink;
  readonly signer: ReturnType<typeof nkeySigner>;
  readonly logger: AgentLogger;
  readonly signal: AbortSignal;
};

async function runWithLink({ config, link, signer, logger, signal }: Composition): Promise<void> {
  const { vehicleId, hardwareRevision, stateDir, keys } = config;
  const clock = systemClock;
  const stateFiles = new SpoolFolder(stateDir);
  const fetcher = new LinkBlobFetcher({ vehicleId, link, clock });
  const runtime = await createModelRuntime({ vehicleId, hardwareRevision, stateDir, keys, fetcher, logger });
  try {
    const agent = await VehicleAgent.open({
      ...config,
      files: new SpoolFolder(join(stateDir, 'spool')),
      stateFiles,
      link,
      signer,
      drives: await PlaylistFollower.open({ path: config.playlist, files: stateFiles, clock }),
      runtime,
      clock,
      logger,
      rssBytes: () => process.memoryUsage.rss(),
    });
    // Everything is loaded: the next start finds compiled code and needs neither the type stripper nor its memory.
    flushCompileCache();
    await agent.run(signal);
  } finally {
    await runtime.close();
  }
}

async function readRequired(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new FleetError('CONFIG_INVALID', `${what} ${path} cannot be read: check the path`, { cause });
  }
}
