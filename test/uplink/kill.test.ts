/** Why: an uplink that is killed in the middle of a recording must go on at the chunk, without sending again what has arrived. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ScriptedLink, steadyLink } from '@fleetloop/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { makeRecording } from '../ingest/test-vehicle.ts';
import { CHUNK_BYTES, enrolVehicle } from './uplink-rig.ts';

const PROCESS = join(import.meta.dirname, 'uplink-process.ts');
const TIMEOUT_MS = 60_000;
const MIB = 1_024 * 1_024;
const KILLS = 3;
const MESSAGES = 90_000;

let root: string;
let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
const children: ChildProcess[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-uplink-kill-'));
  bench = await openIngestBench();
  controlPlane = await bench.start();
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await bench?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

/** Starts the process; `lines` grows with what it prints. */
function startProcess(args: readonly string[], lines: string[]): ChildProcess {
  const child = spawn(process.execPath, [PROCESS, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  child.stdout?.on('data', (data: Buffer) => lines.push(...data.toString('utf8').trim().split('\n')));
  return child;
}

describe('kill -9 of an uplink', () => {
  it('costs what was in flight, and nothing that had arrived is sent again', async () => {
    const vehicle = await enrolVehicle(controlPlane.api, 'kill-1');
    const { bytes } = await makeRecording(vehicle.id, 'ev-large', MESSAGES);
    await writeFile(join(root, 'ev-large.mcap'), bytes);
    const script = steadyLink({ bytesPerS: 2 * MIB, delayMs: 5 });
    await using link = await ScriptedLink.start({ target: bench.nats.url, script });
    const args = [link.url, vehicle.id, vehicle.jwt, vehicle.seed, root];
    const lines: string[] = [];
    const up = (): number => link.counts().up.delivered;
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const child = startProcess(args, lines);
      const exited = once(child, 'exit');
      await expect.poll(up, { timeout: TIMEOUT_MS, interval: 5 }).toBeGreaterThan((kill * bytes.length) / (KILLS + 1));
      child.kill('SIGKILL');
      await exited;
    }
    startProcess(args, lines);
    await expect.poll(() => lines, { timeout: TIMEOUT_MS }).toEqual(['ev-large verified']);
    expect(bytes.length).toBeGreaterThan(24 * CHUNK_BYTES);
    expect(up() - bytes.length).toBeLessThan(KILLS * 3 * CHUNK_BYTES);
  });
});
