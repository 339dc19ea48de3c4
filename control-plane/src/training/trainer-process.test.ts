import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runTrainerProcess } from './trainer-process.ts';

let folder: string;
const lines: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-trainer-'));
  lines.length = 0;
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** The interpreter is a shell here: the contract does not ask for Python. */
async function run(
  script: string,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal; readonly interpreter?: string } = {},
): Promise<void> {
  const path = join(folder, 'train.sh');
  await writeFile(path, script);
  await runTrainerProcess({
    python: options.interpreter ?? 'sh',
    script: path,
    arguments: ['--in', 'a', '--out', 'b'],
    folder,
    timeoutMs: options.timeoutMs ?? 10_000,
    signal: options.signal ?? new AbortController().signal,
    onLine: (line) => lines.push(line),
  });
}

describe('runTrainerProcess', () => {
  it('passes its arguments and hands on each line', async () => {
    await run('echo "$@"; echo \'{"event":"done"}\'');
    expect(lines).toEqual(['--in a --out b', '{"event":"done"}']);
  });

  it('tells a failure with the end of what the trainer said', async () => {
    await expect(run('echo first >&2; echo no memory >&2; exit 7')).rejects.toMatchObject({
      code: 'TRAINING_TRAINER_FAILED',
      message: expect.stringMatching(/exit status 7: first\nno memory/),
    });
  });

  it('tells a trainer that was killed, and one that can not be started', async () => {
    await expect(run('kill -9 $$')).rejects.toMatchObject({
      code: 'TRAINING_TRAINER_FAILED',
      message: expect.stringContaining('SIGKILL'),
    });
    await expect(run('', { interpreter: join(folder, 'absent') })).rejects.toMatchObject({
      code: 'TRAINING_TRAINER_FAILED',
    });
  });

  it('stops a trainer and its children at the limit', async () => {
    const marker = join(folder, 'stopped');
    const child = `trap 'echo stopped > ${marker}; exit' TERM; while :; do sleep 0.05; done`;
    await expect(run(`(${child}) & wait`, { timeoutMs: 500 })).rejects.toMatchObject({ code: 'TRAINING_TIMEOUT' });
    expect(await readFile(marker, 'utf8')).toBe('stopped\n');
  });

  it('stops with the reason of the signal', async () => {
    const stop = new AbortController();
    const running = run('echo started; sleep 60', { signal: stop.signal });
    stop.abort(new Error('not wanted any more'));
    await expect(running).rejects.toThrow('not wanted any more');
  });

  it('does not hand the environment of the control plane to a guest', async () => {
    process.env['FLEETLOOP_TEST_SECRET'] = 'secret';
    try {
      await run('echo "[$FLEETLOOP_TEST_SECRET]"');
    } finally {
      delete process.env['FLEETLOOP_TEST_SECRET'];
    }
    expect(lines).toEqual(['[]']);
  });
});
