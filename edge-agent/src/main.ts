/** The agent's command line: `run` is a vehicle, `replay` is capture without servers. */
import { Command, CommanderError } from 'commander';
import { FleetError } from '@fleetloop/schemas';
import type { ReplaySummary } from './processes/replay-offline.ts';

const SOFTWARE_VERSION = '0.1.0';
/** A stop that takes longer is cut off; the spool is on disk at every moment. */
const STOP_TIMEOUT_MS = 5_000;
const EXIT_REFUSED = 1;
const EXIT_USAGE = 2;
/** As a shell reports a program that SIGINT ended. */
const EXIT_STOPPED = 130;

type ReplayFlags = {
  readonly source: string[];
  readonly mapping?: string;
  readonly campaign: string[];
  readonly out: string;
  readonly vehicle: string;
  readonly hardwareRevision: string;
  readonly attribute: string[];
  readonly json?: true;
};

const program = new Command('agent')
  .description('fleetloop vehicle agent')
  .version(SOFTWARE_VERSION)
  .showHelpAfterError()
  .exitOverride();

program
  .command('run')
  .description('run as a vehicle until SIGINT or SIGTERM')
  .requiredOption('--config <file>', 'JSON configuration of the vehicle')
  .action(async ({ config }: { config: string }) => {
    const { runAgent } = await import('./processes/run-agent.ts');
    await runAgent(config, stopSignal());
  });

program
  .command('replay')
  .description('capture offline: drives and campaigns in, one recording per event out')
  .requiredOption(
    '--source <files...>',
    'recorded drives: MCAP, ULog, candump, CSV, Parquet (each also .zst but Parquet), or the folder of arrays',
  )
  .option('--mapping <file>', 'what the columns, fields or CAN signals mean; MCAP, ULog and candump can do without')
  .requiredOption('--campaign <files...>', 'which moments to keep')
  .requiredOption('--out <folder>', 'folder for the recordings')
  .option('--vehicle <id>', 'vehicle named in the recordings', 'offline')
  .option('--hardware-revision <name>', 'hardware revision named in the recordings', 'A')
  .option('--attribute <name=value...>', 'attributes of the vehicle that campaigns may ask for', [])
  .option('--json', 'print the summary as JSON')
  .action(async (flags: ReplayFlags) => {
    const { replayOffline } = await import('./processes/replay-offline.ts');
    const { source: sources, campaign: campaigns, vehicle: vehicleId, attribute, json, ...rest } = flags;
    const summary = await replayOffline({
      ...rest,
      sources,
      campaigns,
      vehicleId,
      attributes: parseAttributes(attribute),
      softwareVersion: SOFTWARE_VERSION,
      signal: stopSignal(),
      onProgress: ({ source, messages, events }) =>
        process.stderr.write(`${source}: ${messages} messages, ${events} events\n`),
    });
    process.stdout.write(json === true ? `${JSON.stringify(summary, null, 2)}\n` : toText(summary));
    for (const { code, message, where } of summary.refused) process.stderr.write(`${code}: ${where}: ${message}\n`);
    if (summary.refused.length > 0) process.exitCode = EXIT_REFUSED;
    if (summary.isStopped) process.exitCode = EXIT_STOPPED;
  });

type AskFlags = { readonly config?: string; readonly socket?: string; readonly json?: true };

program
  .command('status')
  .description('ask the agent of this vehicle how it is')
  .option('--config <file>', 'configuration of the agent', process.env['FLEETLOOP_AGENT_CONFIG'])
  .option('--socket <file>', 'socket on which the agent answers, instead of --config')
  .option('--json', 'print all of it as JSON')
  .action(async (flags: AskFlags) => {
    const { askHere } = await import('./processes/ask-agent.ts');
    const { statusText } = await import('@fleetloop/schemas');
    const answer = await askHere(flags, { kind: 'status' });
    process.stdout.write(flags.json === true ? toJson(answer) : (statusText(answer) ?? toJson(answer)));
  });

program
  .command('why')
  .description('ask why something was captured or not, is not uploaded, or is gone')
  .argument('<subject>', 'id of a campaign, id of an event (ev-…), or digest of a recording (sha256:…)')
  .option('--config <file>', 'configuration of the agent', process.env['FLEETLOOP_AGENT_CONFIG'])
  .option('--socket <file>', 'socket on which the agent answers, instead of --config')
  .option('--json', 'print all of it as JSON')
  .action(async (subject: string, flags: AskFlags) => {
    const { askHere } = await import('./processes/ask-agent.ts');
    const answer = await askHere(flags, { kind: 'why', subject });
    const { conclusion } = answer as { readonly conclusion: readonly string[] };
    process.stdout.write(flags.json === true ? toJson(answer) : `${conclusion.join('\n')}\n`);
  });

/** A value that is a number is one, as it is in the configuration of an agent. */
function parseAttributes(texts: readonly string[]): Readonly<Record<string, string | number>> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value = ''] = /^([^=]+)=(.*)$/.exec(text) ?? [];
      if (name === undefined)
        throw new FleetError('CONFIG_INVALID', `the attribute ${text} is not of the form name=value`);
      return [name, value !== '' && Number.isFinite(Number(value)) ? Number(value) : value];
    }),
  );
}

const toJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** Aborted by the first SIGINT or SIGTERM; when the stop takes too long the process ends all the same. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    controller.abort();
    setTimeout(() => process.exit(EXIT_REFUSED), STOP_TIMEOUT_MS).unref();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  return controller.signal;
}

function toText({ events, topics }: ReplaySummary): string {
  const lines = events.map(
    ({ id, session, triggers, gaps, bytes, file }) =>
      `${id}  ${session}  ${triggers.length} triggers  ${gaps.length} gaps  ${bytes} bytes  ${file}`,
  );
  const seen = Object.values(topics).reduce((sum, counts) => sum + counts.seen, 0);
  const kept = Object.values(topics).reduce((sum, counts) => sum + counts.kept, 0);
  return `${[...lines, `${events.length} events, ${kept} of ${seen} messages kept`].join('\n')}\n`;
}

// Whoever reads our output may stop early, as `head` does: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  else {
    const { code, message } = FleetError.from(error);
    process.stderr.write(`${code}: ${message}\n`);
    process.exitCode = EXIT_REFUSED;
  }
}
