/** Why: the trigger rule of the blackbox recorder is public, so capture can be held against its own list, event by event and byte by byte. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompressSync } from 'node:zlib';
import { fromMetadataRecords, type McapMetadataRecord, readRecording } from '@fleetloop/schemas/recording';
import { blackboxDrives, listedEvents } from '@fleetloop/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hardManoeuvrePath } from './agent-process.ts';

const AGENT_MAIN = join(import.meta.dirname, '../../edge-agent/src/main.ts');
const NS = 1_000_000_000n;

type Event = {
  readonly id: string;
  readonly session: string;
  readonly startNs: string;
  readonly endNs: string;
  readonly triggers: readonly { readonly campaign: string; readonly timeNs: string }[];
  readonly gaps: readonly { readonly topic: string; readonly fromNs: string; readonly toNs: string }[];
  readonly file: string;
  readonly bytes: number;
};
type Summary = {
  readonly events: readonly Event[];
  readonly topics: Readonly<Record<string, { readonly seen: number; readonly kept: number }>>;
  readonly refused: readonly { readonly code: string; readonly message: string; readonly where: string }[];
};
type Run = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

let root: string;
let first: Summary;

async function agent(...args: readonly string[]): Promise<Run> {
  const run = promisify(execFile)(process.execPath, [AGENT_MAIN, ...args], { maxBuffer: 64 * 1024 * 1024 });
  return run.then(
    ({ stdout, stderr }) => ({ exitCode: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      exitCode: error.code,
      stdout: error.stdout,
      stderr: error.stderr,
    }),
  );
}

async function replay(
  out: string,
  sources: readonly string[],
  campaign = hardManoeuvrePath,
): Promise<Run & { readonly summary: Summary }> {
  const [drive] = blackboxDrives();
  const run = await agent(
    'replay',
    '--source',
    ...sources,
    '--mapping',
    drive?.mappingPath ?? '',
    '--campaign',
    campaign,
    '--out',
    join(root, out),
    '--json',
  );
  return { ...run, summary: JSON.parse(run.stdout) as Summary };
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-replay-'));
  const run = await replay(
    'first',
    blackboxDrives().map((drive) => drive.sourcePath),
  );
  if (run.exitCode !== 0) throw new Error(run.stderr);
  first = run.summary;
});
afterAll(async () => rm(root, { recursive: true, force: true }));

describe('an offline replay of the 18 drives', () => {
  it('captures each listed event in exactly one recording, and no recording is without one', () => {
    const listed = listedEvents();
    expect(listed).toHaveLength(48);
    const holders = listed.map((event) =>
      first.events.filter(
        (each) =>
          each.session === event.session &&
          BigInt(each.startNs) <= event.startTimeNs &&
          event.endTimeNs <= BigInt(each.endNs),
      ),
    );
    expect(holders.map((each) => each.length)).toEqual(listed.map(() => 1));
    expect(new Set(holders.flat().map((event) => event.id)).size).toBe(first.events.length);
  });

  it('names exactly the 53 flagged rows as triggers', () => {
    const listed = listedEvents();
    const triggers = first.events.flatMap((event) =>
      event.triggers.map((trigger) => ({ session: event.session, timeNs: BigInt(trigger.timeNs) })),
    );
    expect(triggers).toHaveLength(53);
    const outside = triggers.filter(
      ({ session, timeNs }) =>
        !listed.some((event) => event.session === session && event.startTimeNs <= timeNs && timeNs <= event.endTimeNs),
    );
    expect(outside).toEqual([]);
  });

  it('keeps 10 s before the first and 5 s after the last trigger, cut only by the ends of a drive', () => {
    for (const event of first.events) {
      const times = event.triggers.map((trigger) => BigInt(trigger.timeNs));
      const [start, end] = [BigInt(event.startNs), BigInt(event.endNs)];
      expect((times[0] ?? 0n) - start <= 10n * NS, event.id).toBe(true);
      expect(end - (times.at(-1) ?? 0n) <= 5n * NS, event.id).toBe(true);
    }
    const whole = first.events.filter(
      (event) =>
        BigInt(event.triggers[0]?.timeNs ?? 0) - BigInt(event.startNs) === 10n * NS &&
        BigInt(event.endNs) - BigInt(event.triggers.at(-1)?.timeNs ?? 0) === 5n * NS,
    );
    expect(whole.length).toBeGreaterThan(first.events.length / 2);
  });

  it('never records the same moment twice', () => {
    for (const a of first.events) {
      for (const b of first.events) {
        const overlaps =
          a !== b &&
          a.session === b.session &&
          BigInt(a.startNs) <= BigInt(b.endNs) &&
          BigInt(b.startNs) <= BigInt(a.endNs);
        expect(overlaps, `${a.id} ${b.id}`).toBe(false);
      }
    }
  });

  it('writes recordings that say what they are and hold what the window holds', async () => {
    let kept = 0;
    for (const event of first.events) {
      const records: McapMetadataRecord[] = [];
      for await (const item of readRecording([await readFile(event.file)])) {
        if (item.kind === 'metadata') records.push(item.record);
        else {
          kept += 1;
          expect(item.message.logTimeNs >= BigInt(event.startNs) && item.message.logTimeNs <= BigInt(event.endNs)).toBe(
            true,
          );
        }
      }
      const metadata = fromMetadataRecords(records);
      expect(metadata.event).toMatchObject({
        id: event.id,
        startNs: event.startNs,
        endNs: event.endNs,
        campaigns: ['hard-manoeuvre'],
      });
      expect(metadata.clock.uncertaintyNs).toBe('1000000000');
      expect(metadata.gaps).toEqual(event.gaps);
    }
    expect(kept).toBe(Object.values(first.topics).reduce((sum, counts) => sum + counts.kept, 0));
  });

  it('gives the same bytes the second time', async () => {
    const second = await replay(
      'second',
      blackboxDrives().map((drive) => drive.sourcePath),
    );
    const strip = (event: Event): object => ({ ...event, file: '' });
    expect(second.summary.events.map(strip)).toEqual(first.events.map(strip));
    expect(await digests('second')).toEqual(await digests('first'));
  });
});

async function digests(folder: string): Promise<readonly string[]> {
  const names = (await readdir(join(root, folder))).toSorted();
  expect(names.length).toBe(first.events.length);
  return Promise.all(
    names.map(
      async (name) =>
        `${name} ${createHash('sha256')
          .update(await readFile(join(root, folder, name)))
          .digest('hex')}`,
    ),
  );
}

describe('a replay of something broken', () => {
  const drive = blackboxDrives()[2];
  const source = drive?.sourcePath ?? '';

  /** The drive as plain text, changed. */
  async function broken(name: string, change: (lines: string[]) => string[]): Promise<string> {
    const path = join(root, name);
    const lines = zstdDecompressSync(await readFile(source))
      .toString('utf8')
      .split('\n');
    await writeFile(path, change(lines).join('\n'));
    return path;
  }

  it('names the file, line and column of a broken number and keeps the events before it', async () => {
    let at = 0;
    const path = await broken('drive_90.csv', (lines) => {
      at = lines.length - 3;
      return lines.map((line, index) => (index === at ? line.replace(/^([^,]*),[^,]*/, '$1,abc') : line));
    });
    const { exitCode, stderr, summary } = await replay('broken-number', [path]);
    expect(exitCode).toBe(1);
    expect(summary.refused).toHaveLength(1);
    expect(summary.refused[0]).toMatchObject({ code: 'SOURCE_VALUE_INVALID', where: `${path}:${at + 1}` });
    expect(stderr).toContain('SOURCE_VALUE_INVALID');
    const whole = first.events.filter((event) => event.session === drive?.session);
    expect(summary.events.length).toBe(whole.length);
  });

  it('names a missing column and goes on with the other drives', async () => {
    const path = await broken('drive_91.csv', (lines) => [
      lines[0]?.replace('accel_x', 'acceleration') ?? '',
      ...lines.slice(1),
    ]);
    const { exitCode, summary } = await replay('missing-column', [path, source]);
    expect(exitCode).toBe(1);
    expect(summary.refused).toMatchObject([{ code: 'SOURCE_COLUMN_MISSING', where: `${path}:1` }]);
    expect(summary.refused[0]?.message).toContain('accel_x');
    expect(summary.events.map((event) => event.session)).toEqual(
      first.events.filter((event) => event.session === drive?.session).map((event) => event.session),
    );
  });

  it('names a compressed file that is cut short', async () => {
    const path = join(root, 'drive_92.csv.zst');
    await copyFile(source, path);
    await writeFile(path, (await readFile(source)).subarray(0, 2_000));
    const { exitCode, summary } = await replay('cut-short', [path]);
    expect(exitCode).toBe(1);
    expect(summary.refused).toMatchObject([{ code: 'SOURCE_FORMAT', where: path }]);
  });

  it.each([
    ['CAMPAIGN_SYNTAX', { condition: 'abs(longitudinal) >= ' }],
    ['CAMPAIGN_TYPE', { condition: 'abs(longitudinal) + 1.0' }],
    ['CAMPAIGN_TYPE', { condition: 'speed > 1.0' }],
    ['CAMPAIGN_INVALID', { priority: 'urgent' }],
    [
      'SIGNAL_UNKNOWN',
      {
        inputs: [{ kind: 'signal', name: 'longitudinal', path: 'Vehicle.Nowhere', unit: 'g' }],
        condition: 'longitudinal > 1.0',
      },
    ],
    [
      'UNIT_UNKNOWN',
      {
        inputs: [{ kind: 'signal', name: 'longitudinal', path: 'Vehicle.Acceleration.Longitudinal', unit: 'km/h' }],
        condition: 'longitudinal > 1.0',
      },
    ],
  ] as const)('refuses a campaign with %s in one line', async (code, change) => {
    const path = join(root, 'campaign.json');
    await writeFile(
      path,
      JSON.stringify({ ...(JSON.parse(await readFile(hardManoeuvrePath, 'utf8')) as object), ...change }),
    );
    const { exitCode, stderr, summary } = await replay('refused', [source], path);
    expect(exitCode).toBe(1);
    expect(summary.refused).toMatchObject([{ code, where: path }]);
    expect(summary.events).toEqual([]);
    expect(stderr).toContain(`${code}: `);
  });

  it('answers a wrong command line with the usage and exit code 2', async () => {
    const run = await agent('replay', '--mapping', 'x');
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toContain('--source');
    expect((await agent('replay', '--help')).stdout).toContain('--campaign');
  });

  it('names a configuration that is not there', async () => {
    const run = await agent('run', '--config', join(root, 'nowhere.json'));
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(/^CONFIG_INVALID: .*nowhere\.json/);
  });
});
