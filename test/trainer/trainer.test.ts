/** The reference trainer by its contract: the real program, on tables written by DuckDB, with good and with bad input. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { cacheFolder, preparePythonEnvironment } from '@fleetloop/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const TRAINERS = join(import.meta.dirname, '../../control-plane/trainers');
const FEATURES = ['height', 'width'];
const LABELS = ['left', 'right', 'up'];
const REQUEST = {
  contract: 1,
  featureSet: { features: FEATURES.map((name) => ({ name })) },
  labels: LABELS,
  seed: 3,
  search: {
    folds: 3,
    logistic: { inversePenalty: [1] },
    network: { hidden: 4, members: 2, searchMembers: 1, iterations: 50, penalty: [1] },
  },
};
/** Three labels around three centres, two sessions each; noise is a fixed irrational step, so every run has the same rows. */
const SAMPLES = (prefix: string) => `
  SELECT '${prefix}-' || i AS sample_id, '${prefix}-session-' || (i % 6) AS session,
    CASE i % 3 WHEN 0 THEN 'left' WHEN 1 THEN 'right' ELSE 'up' END AS label,
    CASE i % 3 WHEN 0 THEN -2.0 WHEN 1 THEN 2.0 ELSE 0.0 END + ((i * 0.618034) % 1.0 - 0.5)::DOUBLE AS height,
    CASE i % 3 WHEN 2 THEN 3.0 ELSE 0.0 END + ((i * 0.414214) % 1.0 - 0.5)::DOUBLE AS width
  FROM range(120) AS samples(i)`;

let python: string;
let folder: string;
let database: DuckDBInstance;

beforeAll(async () => {
  python = process.env['FLEETLOOP_PYTHON'] ?? (await installedPython());
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-trainer-'));
  database = await DuckDBInstance.create();
});

afterAll(async () => {
  database.closeSync();
  await rm(folder, { recursive: true, force: true });
});

async function installedPython(): Promise<string> {
  return preparePythonEnvironment({
    requirements: join(TRAINERS, 'requirements.txt'),
    cache: cacheFolder(),
    onProgress: (line) => console.error(line),
    signal: AbortSignal.timeout(600_000),
  });
}

async function query(sql: string): Promise<readonly Record<string, unknown>[]> {
  const connection = await database.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRowObjectsJS();
  } finally {
    connection.closeSync();
  }
}

type Input = { readonly request?: unknown; readonly train?: string; readonly test?: string };

/** Writes an input folder; `train` and `test` are queries, an empty one leaves the file out. */
async function inputFolder(name: string, input: Input): Promise<string> {
  const path = join(folder, name, 'in');
  await mkdir(path, { recursive: true });
  const request = input.request ?? REQUEST;
  await writeFile(join(path, 'request.json'), typeof request === 'string' ? request : JSON.stringify(request));
  for (const [file, sql] of [
    ['train', input.train ?? SAMPLES('train')],
    ['test', input.test ?? SAMPLES('test')],
  ] as const) {
    if (sql !== '') await query(`COPY (${sql}) TO '${join(path, `${file}.parquet`)}' (FORMAT parquet)`);
  }
  return path;
}

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string; readonly out: string };

async function train(name: string, source: string): Promise<Ended> {
  const out = join(folder, name, 'out');
  const child = spawn(python, [join(TRAINERS, 'reference/train.py'), '--in', source, '--out', out]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString('utf8')));
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString('utf8')));
  const ended = Promise.withResolvers<number | null>();
  child.once('error', ended.reject);
  child.once('close', ended.resolve);
  return { code: await ended.promise, stdout, stderr, out };
}

const digestOf = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
const json = async (path: string): Promise<Record<string, unknown>> => JSON.parse(await readFile(path, 'utf8'));

describe('reference trainer', () => {
  let good: Ended;

  beforeAll(async () => {
    good = await train('good', await inputFolder('good', {}));
  });

  it('leaves every file of the contract, reports progress, and learns what can be learned', async () => {
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect((await readdir(good.out)).sort()).toEqual([
      'environment.json',
      'golden.json',
      'metrics.json',
      'model.int8.onnx',
      'model.onnx',
      'predictions.int8.parquet',
      'predictions.parquet',
      'training-stats.json',
    ]);
    const events = good.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual(['read', 'search', 'search', 'fit', 'export', 'done']);
    expect(await json(join(good.out, 'metrics.json'))).toMatchObject({ accuracy: 1, testSamples: 120 });
    expect(await json(join(good.out, 'environment.json'))).toMatchObject({ threads: 1 });
  });

  it('predicts every test sample once, with probabilities that sum to 1', async () => {
    const { out } = good;
    for (const file of ['predictions.parquet', 'predictions.int8.parquet']) {
      const [row] = await query(`
        SELECT count(*)::INT AS samples, count(DISTINCT sample_id)::INT AS ids,
          max(abs(p_left + p_right + p_up - 1)) AS error, max(abs(confidence - greatest(p_left, p_right, p_up))) AS top
        FROM '${join(out, file)}'`);
      expect(row).toMatchObject({ samples: 120, ids: 120 });
      expect(row?.['error']).toBeLessThan(1e-5);
      expect(row?.['top']).toBe(0);
    }
  });

  it('describes the training split: mean and std of each feature, and distances', async () => {
    const { out } = good;
    const [row] = await query(`SELECT avg(height) AS mean, stddev_pop(height) AS std FROM (${SAMPLES('train')})`);
    const stats = await json(join(out, 'training-stats.json'));
    const [height] = stats['features'] as readonly { name: string; mean: number; std: number }[];
    expect(height?.name).toBe('height');
    expect(height?.mean).toBeCloseTo(Number(row?.['mean']), 9);
    expect(height?.std).toBeCloseTo(Number(row?.['std']), 9);
  });

  it('gives the same model, byte for byte, for the same input and seed', async () => {
    const second = await train('same', await inputFolder('same', {}));
    for (const file of ['model.onnx', 'model.int8.onnx', 'predictions.parquet', 'training-stats.json', 'golden.json']) {
      expect(await digestOf(join(second.out, file)), file).toBe(await digestOf(join(good.out, file)));
    }
  });

  it('knows a label that the training split lacks, and never predicts it', async () => {
    const ended = await train(
      'absent',
      await inputFolder('absent', { request: { ...REQUEST, labels: [...LABELS, 'down'] } }),
    );
    expect(ended.code).toBe(0);
    const [row] = await query(`SELECT max(p_down) AS most FROM '${join(ended.out, 'predictions.parquet')}'`);
    expect(row?.['most']).toBeLessThan(1e-6);
  });

  it.each<[string, Input, string]>([
    ['a request that is not JSON', { request: '{' }, 'REQUEST_INVALID'],
    ['another contract', { request: { ...REQUEST, contract: 2 } }, 'CONTRACT_VERSION'],
    [
      'a feature named twice',
      { request: { ...REQUEST, featureSet: { features: [{ name: 'height' }, { name: 'height' }] } } },
      'REQUEST_INVALID',
    ],
    [
      'a search without candidates',
      {
        request: {
          ...REQUEST,
          search: {
            ...REQUEST.search,
            logistic: { inversePenalty: [] },
            network: { ...REQUEST.search.network, penalty: [] },
          },
        },
      },
      'REQUEST_INVALID',
    ],
    [
      'a negative penalty',
      { request: { ...REQUEST, search: { ...REQUEST.search, logistic: { inversePenalty: [-1] } } } },
      'REQUEST_INVALID',
    ],
    ['no test table', { test: '' }, 'TABLE_MISSING'],
    ['an empty table', { train: `${SAMPLES('train')} WHERE i < 0` }, 'TABLE_EMPTY'],
    ['a missing feature', { train: `SELECT * EXCLUDE (width) FROM (${SAMPLES('train')})` }, 'COLUMN_MISSING'],
    [
      'a value that is not a number',
      {
        train: `SELECT * REPLACE (if(sample_id = 'train-7', 'nan'::DOUBLE, width) AS width) FROM (${SAMPLES('train')})`,
      },
      'VALUE_INVALID',
    ],
    [
      'an absent value',
      { train: `SELECT * REPLACE (nullif(width, 0) * NULL AS width) FROM (${SAMPLES('train')})` },
      'VALUE_INVALID',
    ],
    [
      'text instead of numbers',
      { test: `SELECT * REPLACE ('wide' AS width) FROM (${SAMPLES('test')})` },
      'VALUE_INVALID',
    ],
    [
      'a label that the request does not name',
      { test: `SELECT * REPLACE ('down' AS label) FROM (${SAMPLES('test')})` },
      'LABEL_UNKNOWN',
    ],
    ['a sample twice', { test: `${SAMPLES('test')} UNION ALL ${SAMPLES('test')}` }, 'SAMPLE_DUPLICATE'],
    [
      'a session on both sides',
      { test: `SELECT * REPLACE (replace(session, 'test', 'train') AS session) FROM (${SAMPLES('test')})` },
      'LEAKAGE',
    ],
    [
      'a run on both sides under another session',
      {
        train: `SELECT *, 'run' AS "group" FROM (${SAMPLES('train')}) WHERE label <> 'up' UNION ALL SELECT *, 'other' FROM (${SAMPLES('train')}) WHERE label = 'up'`,
        test: `SELECT *, 'run' AS "group" FROM (${SAMPLES('test')})`,
      },
      'LEAKAGE',
    ],
    ['one label only', { train: `${SAMPLES('train')} WHERE i % 3 = 0` }, 'SINGLE_CLASS'],
    ['one session only', { train: `SELECT * REPLACE ('one' AS session) FROM (${SAMPLES('train')})` }, 'SINGLE_SESSION'],
  ])('refuses %s', async (name, input, code) => {
    const ended = await train(name, await inputFolder(name, input));
    expect(ended.code, ended.stderr).toBe(2);
    expect(JSON.parse(ended.stderr).error).toMatchObject({ code });
  });

  it('refuses a table that is not Parquet', async () => {
    const source = await inputFolder('garbage', {});
    await writeFile(join(source, 'train.parquet'), 'not a table');
    const ended = await train('garbage', source);
    expect(ended.code).toBe(2);
    expect(JSON.parse(ended.stderr).error.code).toBe('TABLE_UNREADABLE');
  });
});
