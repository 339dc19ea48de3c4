/** One agent capturing: all 18 drives replayed offline as fast as it goes, with the peak memory of its process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT_NODE_FLAGS, agentEnvironment } from '@fleetloop/edge-agent/launch';
import { FleetError } from '@fleetloop/schemas';
import { blackboxDrives } from '../recordings/recordings.ts';
import { cacheFolder } from '../stack/cache-folder.ts';
import { PeakMemory } from '../world/peak-memory.ts';
import { type Bench, median, repeat } from './measurement.ts';

const AGENT_MAIN = join(import.meta.dirname, '../../../edge-agent/src/main.ts');
const CAMPAIGN = join(import.meta.dirname, '../../campaigns/hard-manoeuvre.json');
const DRIVEN_SECONDS = 14_880;
const BYTES_PER_MB = 1e6;

async function replay(peaks: number[]): Promise<number> {
  const drives = blackboxDrives();
  const out = await mkdtemp(join(tmpdir(), 'fleetloop-bench-'));
  const memory = new PeakMemory();
  try {
    const startedMs = performance.now();
    const sources = drives.map((drive) => drive.sourcePath);
    const args = [
      ...AGENT_NODE_FLAGS,
      AGENT_MAIN,
      'replay',
      '--source',
      ...sources,
      '--mapping',
      drives[0]?.mappingPath ?? '',
      '--campaign',
      CAMPAIGN,
      '--out',
      out,
      '--json',
    ];
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...agentEnvironment(cacheFolder()) },
    });
    memory.watch('agent', () => child.pid);
    const sampling = setInterval(() => void memory.sample(), 50);
    const [code] = (await once(child, 'exit')) as [number | null];
    clearInterval(sampling);
    if (code !== 0) throw new FleetError('INTERNAL_UNEXPECTED', `the agent's replay ended with ${code}`);
    peaks.push((memory.peaks()['agent'] ?? 0) / BYTES_PER_MB);
    return DRIVEN_SECONDS / ((performance.now() - startedMs) / 1_000);
  } finally {
    memory.stop();
    await rm(out, { recursive: true });
  }
}

export const captureBench: Bench = {
  name: 'capture',
  description: 'the 18 drives (14,880 s) through one agent offline: times real time, peak RSS',
  run: async ({ repeats }) => {
    const peaks: number[] = [];
    const figure = await repeat(repeats, async () => replay(peaks));
    const sorted = peaks.toSorted((left, right) => left - right);
    return [
      { bench: 'capture', figure: 'replay speed', unit: '× real time', ...figure },
      {
        bench: 'capture',
        figure: 'peak RSS of the agent',
        unit: 'MB',
        value: median(sorted),
        min: sorted[0] ?? 0,
        max: sorted.at(-1) ?? 0,
        repeats,
        target: { atMost: 100 },
      },
    ];
  },
};
