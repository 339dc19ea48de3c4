import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProcessGroup } from './process-group.ts';

/** An orphan counts as alive until init, which may be slow, has collected it. */
const GONE = { timeout: 10_000 };

let work: string;

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'fleetloop-group-'));
});

afterEach(async () => {
  await rm(work, { recursive: true, force: true });
});

describe('ProcessGroup', () => {
  it('appends output of every process to the log', async () => {
    const group = await start('echo one; (echo two >&2)');
    await group.exited;
    expect(await log()).toBe('one\ntwo\n');
  });

  it('tells how it ended', async () => {
    const group = await start('exit 7');
    expect(await group.exited).toEqual({ code: 7, signal: null });
    expect(group.exit).toEqual({ code: 7, signal: null });
  });

  it('stops children of the command, too', async () => {
    const group = await start('sleep 300 & echo $!; wait');
    await vi.waitFor(async () => expect(await log()).toMatch(/\d+\n/));
    const childPid = Number(await log());
    expect(isAlive(childPid)).toBe(true);
    await group.stop();
    await vi.waitFor(() => expect(isAlive(childPid)).toBe(false), GONE);
  });

  it('stops what the command left behind when it ended by itself', async () => {
    const group = await start('sleep 300 & echo $!');
    await group.exited;
    const childPid = Number(await log());
    await vi.waitFor(() => expect(isAlive(childPid)).toBe(false), GONE);
  });

  it('can be killed although it ignores requests to end', async () => {
    const group = await start("trap '' TERM; echo ready; while true; do sleep 300; done");
    await vi.waitFor(async () => expect(await log()).toBe('ready\n'));
    await group.kill();
    expect(group.exit?.signal).toBe('SIGKILL');
  });

  it('rejects when the command does not exist', async () => {
    const started = ProcessGroup.start({ command: join(work, 'nothing'), args: [], logFile: join(work, 'log') });
    await expect(started).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

async function start(script: string): Promise<ProcessGroup> {
  return ProcessGroup.start({ command: 'sh', args: ['-c', script], logFile: join(work, 'log') });
}

async function log(): Promise<string> {
  return readFile(join(work, 'log'), 'utf8');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
