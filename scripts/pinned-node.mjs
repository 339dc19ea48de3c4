// Why: TypeScript is run by the Node that the lock file pins, not by the machine's own; signals and exit code pass through.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';

/** The repository root. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const BIN = join(ROOT, 'node_modules', '.bin');
export const PINNED_NODE = join(BIN, 'node');

const FORWARDED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** One Ctrl-C reaches us more than once: from the terminal and from npm. */
const REPEAT_MS = 500;
const SIGNAL_EXIT_BASE = 128;

/** The signal that asked us to end; no further command is started after it. */
let interruptedBy;

/** Runs the pinned Node with `args`; gives its exit code. */
export async function runPinned(args, options = {}) {
  return run(PINNED_NODE, args, options);
}

/** Runs a command to its end with our streams; gives its exit code, 128 + n when signal n ended it. */
export async function run(command, args, { cwd = ROOT, stdio = 'inherit', onOutput } = {}) {
  if (interruptedBy !== undefined) throw new Error(`ended by ${interruptedBy}`);
  // In a group of its own, the command gets each signal once: from us.
  const child = spawn(command, args, {
    cwd,
    stdio,
    detached: true,
    env: { ...env, PATH: `${BIN}${delimiter}${env.PATH ?? ''}` },
  });
  child.stdout?.on('data', onOutput);
  child.stderr?.on('data', onOutput);
  const stopForwarding = forwardSignals(child);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(code ?? SIGNAL_EXIT_BASE + constants.signals[signal]));
    });
  } finally {
    stopForwarding();
  }
}

function forwardSignals(child) {
  let lastMs = Number.NEGATIVE_INFINITY;
  const forward = (signal) => {
    interruptedBy = signal;
    const nowMs = performance.now();
    if (nowMs - lastMs < REPEAT_MS) return;
    lastMs = nowMs;
    child.kill(signal);
  };
  for (const signal of FORWARDED_SIGNALS) process.on(signal, forward);
  return () => {
    for (const signal of FORWARDED_SIGNALS) process.off(signal, forward);
  };
}
