/** Why: commands that end by themselves (version questions, builds, pip) run with a deadline and tell what they said. */
import { spawn } from 'node:child_process';
import { FleetError } from '@fleetloop/schemas';

const OUTPUT_CHARACTERS_MAX = 64 * 1_024;
const TAIL_LINES = 15;

export type CommandOptions = {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line of output as it comes. */
  readonly onLine?: (line: string) => void;
};

/**
 * Runs a command to its end.
 * @returns the last part of its standard output and standard error together
 * @throws FleetError `STACK_UNAVAILABLE` when it cannot start, fails, or passes its deadline
 */
export async function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]),
  });
  let output = '';
  let rest = '';
  const take = (bytes: Buffer): void => {
    const text = bytes.toString('utf8');
    output = (output + text).slice(-OUTPUT_CHARACTERS_MAX);
    const lines = (rest + text).split(/\r?\n/);
    rest = (lines.pop() ?? '').slice(-OUTPUT_CHARACTERS_MAX);
    for (const line of lines) options.onLine?.(line);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const end = Promise.withResolvers<number | NodeJS.Signals | null>();
  child.once('error', (error) => end.reject(commandError(command, args, error.message, error)));
  child.once('close', (code, signal) => end.resolve(code ?? signal));
  const code = await end.promise;
  if (code !== 0) throw commandError(command, args, `exit ${code}\n${tailOf(output)}`);
  return output;
}

function tailOf(output: string): string {
  return output.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}

function commandError(command: string, args: readonly string[], reason: string, cause?: unknown): FleetError {
  return new FleetError('STACK_UNAVAILABLE', `${command} ${args.join(' ')}: ${reason}`, { cause });
}
