/** `npm run sim -- --seed N`: one deterministic run; `--minutes M` explores seeds and stops at the first failure. */
import { randomInt } from 'node:crypto';
import { Command } from 'commander';
import { runCapture } from './capture-run.ts';

const SEED_MAX = 2 ** 31;
const PROGRESS_INTERVAL_MS = 2_000;
const MS_PER_MINUTE = 60_000;

type Options = { readonly seed?: string; readonly minutes?: string };

await new Command('sim')
  .description(
    "Runs the agent's capture core over random drives and checks that nothing is lost, doubled or out of order.",
  )
  .option('--seed <n>', 'one run with this seed')
  .option('--minutes <m>', 'explore seeds for so long; stops at the first failure')
  .action(async (options: Options) => {
    const seed = options.seed === undefined ? randomInt(SEED_MAX) : Number(options.seed);
    process.exitCode = await (options.minutes === undefined ? once(seed) : explore(seed, Number(options.minutes)));
  })
  .parseAsync();

/** Prints the seed before anything can go wrong. */
async function once(seed: number): Promise<number> {
  process.stdout.write(`seed ${seed}\n`);
  const outcome = await runCapture(seed);
  const { kind, messages, firings, events, early, fingerprint, problems } = outcome;
  process.stdout.write(
    `${kind}: ${messages} messages, ${firings} triggers, ${events} events, ${early} closed early, fingerprint ${fingerprint}\n`,
  );
  for (const problem of problems) process.stdout.write(`FAILED ${problem}\n`);
  return problems.length === 0 ? 0 : 1;
}

async function explore(firstSeed: number, minutes: number): Promise<number> {
  const startedMs = performance.now();
  const endMs = startedMs + minutes * MS_PER_MINUTE;
  process.stdout.write(`first seed ${firstSeed}\n`);
  let seed = firstSeed;
  let saidMs = startedMs;
  for (; performance.now() < endMs; seed += 1) {
    const { problems } = await runCapture(seed);
    if (problems.length > 0) {
      process.stdout.write(`FAILED ${problems.join('\n       ')}\nreplay: npm run sim -- --seed ${seed}\n`);
      return 1;
    }
    if (performance.now() - saidMs > PROGRESS_INTERVAL_MS) {
      saidMs = performance.now();
      process.stderr.write(`${seed - firstSeed + 1} runs\n`);
    }
  }
  process.stdout.write(`${seed - firstSeed} runs, none failed\n`);
  return 0;
}
