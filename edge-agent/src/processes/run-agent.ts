/** Composes an agent process from its configuration and runs it until it is told to stop. */
import { mkdir, readFile } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { FleetError, subjects } from '@fleetloop/schemas';
import { pino } from 'pino';
import { answerLine, type Answerer, openControlSocket } from '../adapters/control-socket.ts';
import { LinkBlobFetcher } from '../adapters/link-blob-fetcher.ts';
import { NatsLink } from '../adapters/nats-link.ts';
import { NetworkClassFile } from '../adapters/network-class-file.ts';
import { nkeySigner } from '../adapters/nkey-signer.ts';
import { NodeDisk } from '../adapters/node-disk.ts';
import { toAgentLogger } from '../adapters/pino-logger.ts';
import { systemClock } from '../adapters/system-clock.ts';
import { type AgentConfig, controlSocketOf, parseAgentConfig, shownConfig } from '../agent/agent-config.ts';
import { VehicleAgent, type VehicleAgentOptions } from '../agent/vehicle-agent.ts';
import { metricsOf } from '../health/metrics.ts';
import { createModelRuntime } from '../infer/model-runtime.ts';
import type { ClockPair } from '../capture/clock-session.ts';
import type { AgentClock, AgentLogger } from '../ports.ts';
import { DurableFiles } from '../spool/durable-files.ts';

const HASH_KEY_BYTES_MIN = 16;

/**
 * Runs until the signal is aborted.
 * @throws FleetError CONFIG_INVALID, SPOOL_CORRUPT, INSTALL_INCOMPATIBLE, RECORD_WRITE
 */
export async function runAgent(configPath: string, signal: AbortSignal, clocks: AgentClocks = {}): Promise<void> {
  const config = parseAgentConfig(await readRequired(configPath, 'the configuration'), configPath);
  const logger = toAgentLogger(
    pino({ level: config.logLevel, base: { vehicleId: config.vehicleId } }, pino.destination({ fd: 2, sync: true })),
  );
  logger.info(shownConfig(config), 'agent.started');
  const seed = (await readRequired(config.nats.seedFile, 'the seed file')).trim();
  const signer = nkeySigner(seed);
  await makeStateFolder(config.stateDir);
  await using resources = new AsyncDisposableStack();
  const ears = new Ears();
  // Before anything of the state is opened: whoever holds the socket has the state to itself.
  for (const path of new Set([controlSocketOf({ stateDir: config.stateDir }), controlSocketOf(config)]))
    resources.use(await openControlSocket(path, ears.answer, logger));
  const { vehicleId } = config;
  const { url, jwt, jwtFile } = config.nats;
  const link = new NatsLink({ vehicleId, url, jwt, jwtFile, seed, logger });
  resources.defer(async () => {
    await link.close();
    logger.info({}, 'agent.stopped');
  });
  await runWithLink({ config, link, signer, logger, signal, resources, ears, clocks });
}

/** Other clocks than the machine's, for an hour that passes in minutes. */
export type AgentClocks = {
  /** Of all that the agent waits for. */
  readonly agent?: AgentClock;
  /** Of what publishers send. */
  readonly live?: ClockPair;
};

/** Answers for an agent that may not be open yet. */
class Ears {
  agent: Pick<VehicleAgent, 'answer'> | undefined;

  readonly answer: Answerer = async (question) => {
    if (this.agent === undefined)
      throw new FleetError('AGENT_UNREACHABLE', 'the agent is starting: ask again in a moment');
    return this.agent.answer(question);
  };
}

type Composition = {
  readonly config: AgentConfig;
  readonly link: NatsLink;
  readonly signer: ReturnType<typeof nkeySigner>;
  readonly logger: AgentLogger;
  readonly signal: AbortSignal;
  /** Closed in reverse order. */
  readonly resources: AsyncDisposableStack;
  readonly clocks: AgentClocks;
  readonly ears: Ears;
};

async function runWithLink(composition: Composition): Promise<void> {
  const { config, link, signer, logger, signal, resources, ears } = composition;
  const { vehicleId, hardwareRevision, softwareVersion, attributes, stateDir, keys, ring } = config;
  const clock = composition.clocks.agent ?? systemClock;
  const disk = new NodeDisk();
  const stateFiles = new DurableFiles(disk, stateDir);
  const fetcher = new LinkBlobFetcher({ vehicleId, link, clock });
  const { sampleEvery, sampleBytesPerHour } = config.features;
  const models = { vehicleId, hardwareRevision, stateDir, keys, fetcher, logger, sampleEvery };
  const runtime = await createModelRuntime(models);
  resources.defer(async () => runtime.close());
  const agent = await VehicleAgent.open({
    vehicleId,
    hardwareRevision,
    softwareVersion,
    attributes,
    disk,
    stateFiles,
    link,
    signer,
    runtime,
    clock,
    logger,
    folders: { spool: join(stateDir, 'spool'), ring: join(stateDir, 'ring') },
    spoolLimits: config.spool,
    ringBytesMax: ring.memoryBytesMax,
    ringLimits: { quotaBytes: ring.diskBytesMax, ageMsMax: ring.ageMsMax },
    uplinkConfig: config.uplink,
    sampleBytesPerHour,
    ...followNetwork(composition),
    ...(await openSource(composition, stateFiles)),
    ...(await openRedactor(config, logger)),
    rssBytes: () => process.memoryUsage.rss(),
  });
  ears.agent = agent;
  link.serve(subjects.explain(vehicleId), async (question) => answerLine(question, ears.answer));
  if (config.metrics !== undefined) await serveMetrics(config.metrics, agent, composition);
  // Everything is loaded: the next start finds compiled code and needs neither the type stripper nor its memory.
  flushCompileCache();
  await agent.run(signal);
}

/** Recorded drives or live publishers. */
async function openSource(
  { config, logger, resources, clocks }: Composition,
  files: DurableFiles,
): Promise<Pick<VehicleAgentOptions, 'drives' | 'published'>> {
  if (config.live === undefined) {
    const { PlaylistFollower } = await import('../adapters/playlist-follower.ts');
    return { drives: await PlaylistFollower.open({ path: config.playlist ?? '', files, clock: systemClock }) };
  }
  const { openLiveSource } = await import('../adapters/live-sources.ts');
  const live = resources.use(
    await openLiveSource({
      config: config.live,
      logger,
      ...(clocks.live === undefined ? {} : { clocks: clocks.live }),
    }),
  );
  return { drives: live.source, published: { topics: live.counters, publishers: () => live.publishers } };
}

function followNetwork({ config, logger, signal }: Composition): Pick<VehicleAgentOptions, 'network'> {
  const { networkClass: initial, networkClassFile: path } = config.uplink;
  if (path === null) return {};
  const network = new NetworkClassFile({ path, initial, clock: systemClock, logger });
  void network.run(signal);
  return { network };
}

/** @throws FleetError CONFIG_INVALID, RECORD_REDACTION */
async function openRedactor(config: AgentConfig, logger: AgentLogger): Promise<Pick<VehicleAgentOptions, 'redactor'>> {
  const { rules, hashKeyFile } = config.redaction;
  if (rules.length === 0) return {};
  const { Redactor } = await import('../record/redactor.ts');
  const { sharpImageBlanker } = await import('../adapters/sharp-image-blanker.ts');
  const hashKey =
    hashKeyFile === undefined
      ? undefined
      : new TextEncoder().encode((await readRequired(hashKeyFile, 'the hash key')).trim());
  if (hashKey !== undefined && hashKey.length < HASH_KEY_BYTES_MIN)
    throw new FleetError(
      'CONFIG_INVALID',
      `the hash key ${hashKeyFile} is shorter than ${HASH_KEY_BYTES_MIN} bytes: write a longer one`,
    );
  const onFailure = (rule: string, topic: string, { code, message }: FleetError): void =>
    logger.warn({ rule, topic, code, message }, 'record.redaction.failed');
  return { redactor: new Redactor({ rules, hashKey, blanker: sharpImageBlanker, onFailure }) };
}

async function serveMetrics(
  { host, port }: NonNullable<AgentConfig['metrics']>,
  agent: VehicleAgent,
  { logger, resources }: Composition,
): Promise<void> {
  const { openMetricsServer } = await import('../adapters/metrics-server.ts');
  const server = resources.use(
    await openMetricsServer({ host, port, metrics: () => metricsOf(agent.status()), logger }),
  );
  logger.info({ host, port: server.port }, 'health.metrics.served');
}

/** Nobody but the agent's user reads what was captured. @throws FleetError CONFIG_INVALID */
async function makeStateFolder(stateDir: string): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o750 }).catch((cause: unknown) => {
    throw new FleetError('CONFIG_INVALID', `stateDir ${stateDir} cannot be made: check the path and its rights`, {
      cause,
    });
  });
}

async function readRequired(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new FleetError('CONFIG_INVALID', `${what} ${path} cannot be read: check the path`, { cause });
  }
}
