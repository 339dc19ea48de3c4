/** Drift on the features of real drives: two halves of the same fleet must not alarm, another ground or a wrong unit must. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseFeatureSet } from '@fleetloop/schemas';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  blackboxTable,
  borealtcTable,
  type FeatureTable,
  type FeatureTableRow,
  writeTable,
} from './real-feature-tables.ts';

const AXES = ['Longitudinal', 'Lateral', 'Vertical'] as const;
const CLI = join(import.meta.dirname, '../../control-plane/src/processes/cli.ts');
/** The unit in the car gives one row a second. */
const TELEMATICS_FEATURES = parseFeatureSet({
  kind: 'feature-set',
  name: 'telematics',
  version: 1,
  owner: 'perception',
  validator: 'vehicle-dynamics',
  date: '2026-11-20',
  entity: 'vehicle',
  window: { lengthMs: 60_000, hopMs: 30_000 },
  signals: AXES.map((axis) => ({
    name: axis.toLowerCase(),
    path: `Vehicle.Acceleration.${axis}`,
    unit: 'm/s^2',
    samplesMin: 40,
  })),
  derived: [],
  tolerance: { absolute: 1e-9, relative: 1e-9 },
  latencyBudgetMs: 20,
  features: AXES.flatMap((axis) =>
    (['mean', 'std'] as const).map((transform) => ({
      name: `${axis.toLowerCase()}_${transform}`,
      input: axis.toLowerCase(),
      transform,
    })),
  ),
});

type Report = {
  readonly verdict: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly results: readonly {
    readonly feature: string;
    readonly test: string;
    readonly verdict: string;
    readonly reason: string;
  }[];
  readonly alerts: readonly { readonly feature: string; readonly owner: string; readonly severity: string }[];
};

let folder: string;
let terrain: FeatureTable;
let telematics: FeatureTable;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-drift-'));
  terrain = await borealtcTable('axes');
  telematics = await blackboxTable(TELEMATICS_FEATURES);
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

type Choice = (row: FeatureTableRow, sessionNumber: number) => boolean;
type Change = (value: number, feature: string) => number;

/** Runs the command on two choices of the rows; sessions are numbered in the order of their names on each ground. */
async function drift(
  table: FeatureTable,
  choices: { readonly reference: Choice; readonly current: Choice; readonly change?: Change },
): Promise<{ readonly status: number | null; readonly report: Report }> {
  const numbers = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const { session, ground } of table.rows) {
    if (numbers.has(session)) continue;
    numbers.set(session, counts.get(ground) ?? 0);
    counts.set(ground, (counts.get(ground) ?? 0) + 1);
  }
  const rowsOf = (choice: Choice): readonly FeatureTableRow[] =>
    table.rows.filter((row) => choice(row, numbers.get(row.session) ?? 0));
  const change = choices.change ?? ((value) => value);
  const moved = rowsOf(choices.current).map((row) => ({
    ...row,
    values: row.values.map((value, index) => change(value, table.names[index] ?? '')),
  }));
  const [monitor, reference, current] = ['monitor.json', 'reference.parquet', 'current.parquet'].map((name) =>
    join(folder, name),
  );
  await writeTable(reference ?? '', { ...table, rows: rowsOf(choices.reference) });
  await writeTable(current ?? '', { ...table, rows: moved });
  await writeFile(monitor ?? '', JSON.stringify(monitorOf(table.names)));
  const args = ['feature', 'drift', '--monitor', monitor, '--reference', reference, '--current', current, '--json'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...(args as string[])], { encoding: 'utf8' });
  expect(stderr).not.toContain('fleetloop:');
  return { status, report: JSON.parse(stdout) as Report };
}

const monitorOf = (names: readonly string[]): object => ({
  kind: 'drift-monitor',
  name: 'real-drives',
  version: 1,
  owner: 'perception',
  session: 'session',
  sampleMin: { rows: 60 },
  features: names.map((name) => ({
    kind: 'numeric',
    name,
    bins: 16,
    ...(name.endsWith('_mean') ? { owner: 'sensors', severity: 'error' } : {}),
  })),
});

const isEven: Choice = (_, number) => number % 2 === 0;
const isOdd: Choice = (_, number) => number % 2 === 1;
const on =
  (...grounds: readonly string[]): Choice =>
  ({ ground }) =>
    grounds.includes(ground);

describe('borealtc runs', () => {
  test.each([
    ['even against odd runs', { reference: isEven, current: isOdd }],
    ['odd against even runs', { reference: isOdd, current: isEven }],
    [
      'pairs of runs',
      {
        reference: (_: FeatureTableRow, n: number) => n % 4 < 2,
        current: (_: FeatureTableRow, n: number) => n % 4 >= 2,
      },
    ],
  ])('of the same grounds give no alarm: %s', async (_, choices) => {
    const { status, report } = await drift(terrain, choices);
    expect(report.counts).toMatchObject({ failed: 0, inconclusive: 0 });
    expect(report).toMatchObject({ verdict: 'passed', alerts: [] });
    expect(status).toBe(0);
  });

  test('on snow alarm against a reference of firm ground, to the owner of each feature', async () => {
    const { status, report } = await drift(terrain, { reference: on('ASPHALT', 'FLOORING'), current: on('SNOW') });
    expect(report.verdict).toBe('failed');
    expect(status).toBe(1);
    const features = new Set(report.alerts.map(({ feature }) => feature));
    expect(features.size).toBeGreaterThan(3);
    const means = report.alerts.filter(({ feature }) => feature.endsWith('_mean'));
    expect(means.length).toBeGreaterThan(0);
    for (const alert of means) expect(alert).toMatchObject({ owner: 'sensors', severity: 'error' });
  });

  test('logged in g instead of m/s² alarm on what was measured in it', async () => {
    const { report } = await drift(terrain, {
      reference: isEven,
      current: isOdd,
      change: (value, feature) => (feature.startsWith('acceleration_z') ? value / 9.80665 : value),
    });
    const moved = new Set(report.alerts.map(({ feature }) => feature));
    expect(moved).toContain('acceleration_z_mean');
    expect([...moved].every((feature) => feature.startsWith('acceleration_z'))).toBe(true);
  });

  test('of too few drives give no verdict, and say why', async () => {
    const { status, report } = await drift(terrain, {
      reference: isEven,
      current: (row, number) => isOdd(row, number) && number < 2 && row.ground === 'ICE',
    });
    expect(report.verdict).toBe('inconclusive');
    expect(report.results[0]?.reason).toMatch(/current has \d+ rows, 60 are needed/);
    expect(status).toBe(1);
  });
});

describe('blackbox drives', () => {
  const isShort: Choice = ({ session }) => !session.endsWith('drive_30');
  const shortAnd =
    (choice: Choice): Choice =>
    (row, number) =>
      isShort(row, number) && choice(row, number);

  test('give no alarm between two halves, and one when an axis is turned', async () => {
    const halves = { reference: shortAnd(isEven), current: shortAnd(isOdd) };
    const clean = await drift(telematics, halves);
    expect(clean.report).toMatchObject({ verdict: 'passed', alerts: [] });
    const turned = await drift(telematics, {
      ...halves,
      change: (value, feature) => (feature === 'vertical_mean' ? -value : value),
    });
    expect(new Set(turned.report.alerts.map(({ feature }) => feature))).toEqual(new Set(['vertical_mean']));
  });

  test('give no verdict where one drive has most of the rows', async () => {
    const { report } = await drift(telematics, { reference: isEven, current: isOdd });
    expect(report.verdict).toBe('inconclusive');
    expect(report.results[0]?.reason).toMatch(/groups of sessions that are worth [12]\.\d of equal size, 4 are needed/);
  });
});
