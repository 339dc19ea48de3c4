/** Why: engineers test campaigns on whatever recordings they have, so the command is held against foreign files, several campaigns and a stop. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapWriter, readRecording } from '@fleetloop/schemas/recording';
import { blackboxDrives } from '@fleetloop/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hardManoeuvre, hardManoeuvrePath } from './agent-process.ts';

const AGENT_MAIN = join(import.meta.dirname, '../../edge-agent/src/main.ts');
const JPEG = join(import.meta.dirname, '../../edge-agent/src/record/fixtures/solidWhiteCurve.jpg');
const ULOG = join(import.meta.dirname, '../../schemas/src/capture/fixtures/px4_hop.ulg');
const SECOND_NS = 1_000_000_000n;
const WAIT_MS = 60_000;

type Summary = {
  readonly events: readonly {
    readonly id: string;
    readonly session: string;
    readonly triggers: readonly { readonly campaign: string; readonly timeNs: string }[];
    readonly file: string;
  }[];
  readonly topics: Readonly<Record<string, { readonly seen: number; readonly kept: number }>>;
  readonly refused: readonly { readonly code: string; readonly where: string }[];
  readonly isStopped: boolean;
};

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-sources-'));
});
afterAll(async () => rm(root, { recursive: true, force: true }));

/** Runs the command; `whenStarted` may stop it. */
async function replay(
  out: string,
  flags: readonly string[],
  whenStarted?: (pid: number) => Promise<void>,
): Promise<{ readonly exitCode: number; readonly summary: Summary }> {
  const child = spawn(process.execPath, [AGENT_MAIN, 'replay', '--out', join(root, out), '--json', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const closed = once(child, 'close');
  await whenStarted?.(child.pid ?? 0);
  const [exitCode] = (await closed) as [number];
  return { exitCode, summary: JSON.parse(stdout) as Summary };
}

async function digests(folder: string): Promise<readonly string[]> {
  const names = (await readdir(join(root, folder))).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const bytes = await readFile(join(root, folder, name));
      return `${name} ${createHash('sha256').update(bytes).digest('hex')}`;
    }),
  );
}

/** Speed as JSON once a second, and a camera frame beside it. */
async function writeCameraDrive(path: string, seconds: number): Promise<void> {
  const jpeg = await readFile(JPEG);
  const parts: Uint8Array[] = [];
  const sink = { write: async (bytes: Uint8Array) => void parts.push(Uint8Array.from(bytes)) };
  const writer = new McapWriter(sink, { compression: 'zstd', chunkBytes: 200_000 });
  const schemaId = writer.registerSchema({ name: 'camera', encoding: '', data: new Uint8Array(0) });
  const metadata = new Map([['position', 'front']]);
  const camera = writer.registerChannel({ schemaId, topic: '/camera', messageEncoding: 'jpeg', metadata });
  const obd = writer.registerChannel({ schemaId: 0, topic: '/obd', messageEncoding: 'json', metadata: new Map() });
  for (let second = 0; second < seconds; second += 1) {
    const timeNs = BigInt(second + 1) * SECOND_NS;
    const speed = new TextEncoder().encode(JSON.stringify({ speed: second === 20 ? 130 : 100 }));
    writer.addMessage(camera, second, timeNs, timeNs, jpeg);
    writer.addMessage(obd, second, timeNs, timeNs, speed);
    await writer.drain();
  }
  await writer.close();
  await writeFile(path, Buffer.concat(parts));
}

const CAMERA_MAPPING = {
  format: 'mcap',
  session: { name: 'camera/{file}' },
  channels: [
    { from: '/obd', topic: '/vss/Vehicle', signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }] },
  ],
};

async function writeJson(name: string, value: unknown): Promise<string> {
  await writeFile(join(root, name), JSON.stringify(value));
  return join(root, name);
}

const speeding = async (): Promise<object> => ({
  ...(await hardManoeuvre()),
  id: 'speeding',
  inputs: [{ kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' }],
  condition: 'speed > 120.0',
  preWindowMs: 2_000,
  postWindowMs: 2_000,
});

describe('a replay of an MCAP file with camera frames', () => {
  it('keeps the frames of the event byte by byte, and gives the same bytes each time', async () => {
    const source = join(root, 'front.mcap');
    await writeCameraDrive(source, 40);
    const mapping = await writeJson('camera.json', CAMERA_MAPPING);
    const campaign = await writeJson('speeding.json', await speeding());
    const flags = ['--source', source, '--mapping', mapping, '--campaign', campaign];
    const { exitCode, summary } = await replay('camera', flags);
    expect([exitCode, summary.refused]).toEqual([0, []]);
    expect(summary.events).toMatchObject([
      { session: 'camera/front', triggers: [{ campaign: 'speeding', timeNs: String(21n * SECOND_NS) }] },
    ]);
    expect(summary.topics['/camera']).toEqual({ seen: 40, kept: 5 });
    const jpeg = await readFile(JPEG);
    let frames = 0;
    for await (const item of readRecording([await readFile(summary.events[0]?.file ?? '')])) {
      if (item.kind !== 'message' || item.message.channel.topic !== '/camera') continue;
      frames += 1;
      expect(item.message.channel).toMatchObject({
        encoding: { messageEncoding: 'jpeg', metadata: { position: 'front' } },
      });
      expect(item.message.kind === 'opaque' && jpeg.equals(item.message.data)).toBe(true);
    }
    expect(frames).toBe(5);
    await replay('camera-again', flags);
    expect(await digests('camera-again')).toEqual(await digests('camera'));
  });

  it('keeps the events before the damage of a file, and names the byte', async () => {
    const whole = await readFile(join(root, 'front.mcap'));
    const source = join(root, 'cut.mcap');
    await writeFile(source, whole.subarray(0, Math.floor(whole.length * 0.8)));
    const flags = [
      '--source',
      source,
      '--mapping',
      join(root, 'camera.json'),
      '--campaign',
      join(root, 'speeding.json'),
    ];
    const { exitCode, summary } = await replay('cut', flags);
    expect(exitCode).toBe(1);
    expect(summary.events).toHaveLength(1);
    expect(summary.refused).toMatchObject([{ code: 'SOURCE_FORMAT', where: expect.stringMatching(/cut\.mcap@\d+$/) }]);
  });
});

describe('a replay without a mapping', () => {
  it('finds in our own recordings what was recorded in them', async () => {
    const [drive] = blackboxDrives();
    const flags = ['--source', drive?.sourcePath ?? '', '--mapping', drive?.mappingPath ?? ''];
    const first = await replay('drive', [...flags, '--campaign', hardManoeuvrePath]);
    const [event] = first.summary.events;
    expect(event).toBeDefined();
    const second = await replay('recording', ['--source', event?.file ?? '', '--campaign', hardManoeuvrePath]);
    expect(second.exitCode).toBe(0);
    expect(second.summary.events.map(({ session, triggers }) => ({ session, triggers }))).toEqual([
      { session: event?.session, triggers: event?.triggers },
    ]);
  });

  it('reads a ULog, and says of a table that it needs one', async () => {
    const flight = await replay('flight', ['--source', ULOG, '--campaign', hardManoeuvrePath]);
    expect([flight.exitCode, flight.summary.refused, flight.summary.events]).toEqual([0, [], []]);
    expect(flight.summary.topics['/ulog/sensor_combined']?.seen).toBeGreaterThan(0);
    const [drive] = blackboxDrives();
    const table = await replay('table', ['--source', drive?.sourcePath ?? '', '--campaign', hardManoeuvrePath]);
    expect(table.exitCode).toBe(1);
    expect(table.summary.refused).toMatchObject([{ code: 'MAPPING_INVALID', where: drive?.sourcePath }]);
  });
});

describe('a replay with several campaigns', () => {
  it('applies those that are sound and refuses the others, each by its file', async () => {
    const broken = await writeJson('broken.json', { ...(await speeding()), id: 'broken', condition: 'speed >' });
    const twin = await writeJson('twin.json', { ...(await speeding()) });
    const campaigns = [hardManoeuvrePath, join(root, 'speeding.json'), broken, twin];
    const { exitCode, summary } = await replay('several', [
      '--source',
      join(root, 'front.mcap'),
      '--mapping',
      join(root, 'camera.json'),
      '--campaign',
      ...campaigns,
    ]);
    expect(exitCode).toBe(1);
    expect(summary.events.flatMap(({ triggers }) => triggers.map(({ campaign }) => campaign))).toEqual(['speeding']);
    expect(summary.refused.map(({ code, where }) => ({ code, where }))).toEqual(
      expect.arrayContaining([
        { code: 'CAMPAIGN_INVALID', where: twin },
        { code: 'CAMPAIGN_SYNTAX', where: broken },
      ]),
    );
  });
});

describe('a replay that is stopped', () => {
  it('ends with exit code 130, whole recordings and a summary', async () => {
    const rows = Array.from({ length: 400_000 }, (_, row) => `${row},${row % 30 === 0 ? 130 : 100}`);
    const source = join(root, 'long.csv');
    await writeFile(source, `t,v\n${rows.join('\n')}\n`);
    const mapping = await writeJson('long.json', {
      format: 'csv',
      session: { name: 'long' },
      files: [
        {
          name: 'long.csv',
          time: { column: 't', kind: 'seconds' },
          channels: [{ topic: '/vss/Vehicle', signals: [{ path: 'Vehicle.Speed', column: 'v', unit: 'km/h' }] }],
        },
      ],
    });
    const flags = ['--source', source, '--mapping', mapping, '--campaign', join(root, 'speeding.json')];
    const { exitCode, summary } = await replay('stopped', flags, async (pid) => {
      await untilFilesIn(join(root, 'stopped'));
      process.kill(pid, 'SIGINT');
    });
    expect([exitCode, summary.isStopped, summary.refused]).toEqual([130, true, []]);
    expect(summary.events.length).toBeGreaterThan(0);
    expect(summary.topics['/vss/Vehicle']?.seen).toBeLessThan(rows.length);
    const names = (await readdir(join(root, 'stopped'))).toSorted();
    expect(names).toEqual(summary.events.map(({ id }) => `${id}.mcap`).toSorted());
  });
});

/** Resolves when the folder holds a recording. */
async function untilFilesIn(folder: string): Promise<void> {
  const deadlineMs = Date.now() + WAIT_MS;
  while (Date.now() < deadlineMs) {
    const names = await readdir(folder).catch(() => []);
    if (names.some((name) => name.endsWith('.mcap'))) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`no recording came into ${folder}`);
}
