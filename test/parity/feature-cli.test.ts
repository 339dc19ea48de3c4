// Why this file exists: whoever has a definition and a recording must be able to compute and compare features with nothing else.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { parseFeatureSet } from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const LAUNCHER = join(import.meta.dirname, '../../bin/fleetloop.mjs');
const SIM = join(import.meta.dirname, '../../sim');
const RUN = join(SIM, 'recordings/borealtc/SNOW/imu_00.csv.zst');
const MAPPING = join(SIM, 'recordings/borealtc/mapping.json');
const setOf = (name: string): string => join(SIM, `feature-sets/${name}.json`);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-features-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function readTable(path: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  return (await connection.runAndReadAll(`SELECT * FROM read_parquet('${path}')`)).getRowObjectsJS();
}

type Answer = { readonly code: number; readonly stdout: string; readonly stderr: string };

function feature(...args: readonly string[]): Promise<Answer> {
  return new Promise((resolve) => {
    execFile(process.execPath, [LAUNCHER, 'feature', ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const compute = (set: string, engine: string, out: string): Promise<Answer> =>
  feature(
    'compute',
    '--set',
    set,
    '--recording',
    RUN,
    '--mapping',
    MAPPING,
    '--engine',
    engine,
    '--out',
    out,
    '--json',
  );

describe('feature compute', () => {
  it('writes the same table with both engines, and the same bytes each time', async () => {
    const [stream, batch, again] = ['stream', 'batch', 'again'].map((name) => join(folder, `${name}.parquet`)) as [
      string,
      string,
      string,
    ];
    const answer = await compute(setOf('traction'), 'stream', stream);
    expect(answer).toMatchObject({ code: 0 });
    const windows = Number(JSON.parse(answer.stdout).windows);
    expect(windows).toBeGreaterThan(5);
    await compute(setOf('traction'), 'batch', batch);
    await compute(setOf('traction'), 'batch', again);
    expect((await readFile(again)).equals(await readFile(batch))).toBe(true);
    const { features } = parseFeatureSet(JSON.parse(await readFile(setOf('traction'), 'utf8')));
    const columns = ['session', 'window_start_ns', 'window_end_ns', ...features.map(({ name }) => name)];
    const [left, right] = [await readTable(stream), await readTable(batch)];
    expect(Object.keys(left[0] ?? {})).toEqual(columns);
    expect(left).toHaveLength(windows);
    expect(left.map((row) => [row['session'], row['window_start_ns'], row['window_end_ns']])).toEqual(
      right.map((row) => [row['session'], row['window_start_ns'], row['window_end_ns']]),
    );
    expect(left[0]?.['session']).toBe('borealtc/SNOW/00');
    expect(left[3]?.['bounce_high']).toBeCloseTo(Number(right[3]?.['bounce_high']), 9);
  });

  it('gives the vector of any instant as a vehicle would have had it', async () => {
    const at = (time: string, engine: string): Promise<Answer> =>
      feature(
        'compute',
        '--set',
        setOf('traction'),
        '--recording',
        RUN,
        '--mapping',
        MAPPING,
        '--engine',
        engine,
        '--at',
        time,
        '--json',
      );
    const vector = JSON.parse((await at('10099999999', 'stream')).stdout);
    // The window that ends at 10 s is closed 100 ms later: its lateness.
    expect(vector).toMatchObject({
      session: 'borealtc/SNOW/00',
      windowStartNs: '2500000000',
      windowEndNs: '7500000000',
    });
    expect(JSON.parse((await at('1970-01-01T00:00:10.1Z', 'batch')).stdout).windowEndNs).toBe('10000000000');
    expect(await at('1000', 'batch')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('FEATURE_VECTOR_NONE'),
    });
  });

  it('says what is wrong with a call', async () => {
    const broken = join(folder, 'broken.json');
    await writeFile(broken, '{"kind": "feature-set"}');
    expect(await compute(broken, 'batch', join(folder, 'x'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('FEATURE_SET_INVALID'),
    });
    expect(await compute(setOf('traction'), 'quantum', join(folder, 'x'))).toMatchObject({ code: 2 });
    expect(
      await feature('compute', '--set', setOf('traction'), '--recording', RUN, '--mapping', MAPPING),
    ).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--out FILE'),
    });
    const foreign = ['--recording', RUN, '--mapping', MAPPING, '--out', join(folder, 'x')];
    const gear = { ...JSON.parse(await readFile(setOf('norms'), 'utf8')) };
    gear.signals.push({ name: 'gear', path: 'Vehicle.Powertrain.Transmission.CurrentGear', unit: '', samplesMin: 1 });
    const withGear = join(folder, 'gear.json');
    await writeFile(withGear, JSON.stringify(gear));
    expect(await feature('compute', '--set', withGear, ...foreign)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('CurrentGear'),
    });
  });
});

describe('feature parity', () => {
  it('finds the engines equal on real recordings, over sliding and session windows', async () => {
    const boreal = [RUN, join(SIM, 'recordings/borealtc/ICE/imu_02.csv.zst')];
    const sliding = await feature(
      'parity',
      '--set',
      setOf('traction'),
      '--recording',
      ...boreal,
      '--mapping',
      MAPPING,
      '--json',
    );
    expect(JSON.parse(sliding.stdout)).toMatchObject({ withinTolerance: true });
    expect(JSON.parse(sliding.stdout).windows).toBeGreaterThan(15);
    const drives = join(SIM, 'recordings/blackbox_drives');
    const files = ['01', '04', '12'].map((drive) => join(drives, `drive_${drive}.csv.zst`));
    const mapping = join(drives, 'mapping.json');
    const trips = await feature(
      'parity',
      '--set',
      setOf('trips'),
      '--mapping',
      mapping,
      '--json',
      '--recording',
      ...files,
    );
    const report = JSON.parse(trips.stdout);
    expect(report).toMatchObject({ withinTolerance: true, onlyBatch: { count: 0 }, onlyStreaming: { count: 0 } });
    expect(report.windows).toBeGreaterThan(3);
  });

  it('is not content with a comparison of nothing', async () => {
    const short = join(folder, 'short.csv');
    await writeFile(short, 'time,ax\n0.0,1\n0.1,2\n');
    const mapping = join(folder, 'short.json');
    const channel = {
      topic: '/vss/Vehicle.Acceleration',
      signals: [{ path: 'Vehicle.Acceleration.Longitudinal', column: 'ax', unit: 'm/s^2' }],
    };
    const time = { column: 'time', kind: 'seconds' };
    const files = [{ name: 'short.csv', time, channels: [channel] }];
    await writeFile(mapping, JSON.stringify({ format: 'csv', session: { name: 'short', attributes: {} }, files }));
    const { signals, features, ...rest } = JSON.parse(await readFile(setOf('trips'), 'utf8'));
    const set = join(folder, 'few.json');
    await writeFile(set, JSON.stringify({ ...rest, signals: signals.slice(0, 1), features: features.slice(0, 3) }));
    const answer = await feature('parity', '--set', set, '--recording', short, '--mapping', mapping);
    expect(answer).toMatchObject({ code: 1, stdout: expect.stringContaining('nothing was compared') });
  });
});

describe('the feature sets in use', () => {
  it.each(['norms', 'axes', 'traction', 'trips'])('%s has the digest of its file', async (name) => {
    const document = JSON.parse(await readFile(setOf(name), 'utf8'));
    expect(digestOfDocument(parseFeatureSet(document))).toBe(digestOfDocument(document));
  });

  it.each([['norms', 'sha256:438a93e6644e4a74326de1700886454d2fb8c798cd9a6a210800b427f64740dc']])(
    '%s is what models were trained with',
    async (name, digest) => {
      expect(digestOfDocument(JSON.parse(await readFile(setOf(name), 'utf8')))).toBe(digest);
    },
  );
});
