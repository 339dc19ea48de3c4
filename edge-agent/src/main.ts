/** The agent's command line: `run` is a vehicle, `replay` is capture without servers. */
import { Command, CommanderError } from 'commander';
import { FleetError } from '@fleetloop/schemas';
import type { ReplaySummary } from './processes/replay-offline.ts';

const SOFTWARE_VERSION = '0.1.0';
/** A stop that takes longer is cut off; the spool is on disk at every moment. */
const STOP_TIMEOUT_MS = 5_000;
const EXIT_REFUSED = 1;
const EXIT_USAGE = 2;

type ReplayFlags = {
  readonly source: string[];
  readonly mapping: string;
  readonly campaign: string;
  readonly out: string;
  readonly vehicle: string;
  readonly hardwareRevision: string;
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
  .description('capture offline: drives and a campaign in, one recording per event out')
  .requiredOption('--source <files...>', 'recorded drives, each a file (.csv, .csv.zst) or the folder of its arrays')
  .requiredOption('--mapping <file>', 'what the columns of the sources mean')
  .requiredOption('--campaign <file>', 'which moments to keep')
  .requiredOption('--out <folder>', 'folder for the recordings')
  .option('--vehicle <id>', 'vehicle named in the recordings', 'offline')
  .option('--hardware-revision <name>', 'hardware revision named in the recordings', 'A')
  .option('--json', 'print the summary as JSON')
  .action(async (flags: ReplayFlags) => {
    const { replayOffline } = await import('./processes/replay-offline.ts');
    const { source: sources, vehicle: vehicleId, json, ...rest } = flags;
    const summary = await replayOffline({
      ...rest,
      sources,
      vehicleId,
      softwareVersion: SOFTWARE_VERSION,
      signal: stopSignal(),
    });
    process.stdout.write(json === true ? `${JSON.stringify(summary, null, 2)}\n` : toText(summary));
    for (const { code, message } of summary.refused) process.stderr.write(`${code}: ${message}\n`);
    if (summary.refused.length > 0) process.exitCode = EXIT_REFUSED;
  });

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
