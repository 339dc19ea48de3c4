import { describe, expect, it } from 'vitest';
import { auditBias } from './audit-bias.ts';
import { countedByAudit, parseBiasAudit } from './bias-audit.ts';
import { type DriftMonitor, parseDriftMonitor } from './drift-monitor.ts';
import { reportBytes, reportDrift } from './drift-report.ts';
import { evaluateDrift } from './evaluate-drift.ts';
import { fitDefinition } from './fit-definition.ts';
import { type CountedRow as Row, countRows as sketchOf } from './fixtures/count-rows.ts';
import { CATEGORY_SEPARATOR, hashText, type SketchDefinition } from './sketch-definition.ts';
import { TableSketch } from './table-sketch.ts';

function monitor(change: object = {}): DriftMonitor {
  return parseDriftMonitor({
    kind: 'drift-monitor',
    name: 'speeds',
    version: 1,
    owner: 'perception',
    session: 'session',
    features: [
      { kind: 'numeric', name: 'speed', bins: 8, range: { min: 0, max: 100 }, owner: 'motion', severity: 'error' },
    ],
    ...change,
  });
}

/** A number in [0, 1) that depends on the text alone. */
const drawn = (text: string): number => hashText(text) / 2 ** 32;

/** `sessions` drives of 40 rows, their speeds spread evenly over [0, 40) and moved by `by`. */
const drives = (sessions: number, by = 0, key: readonly string[] = []): Row[] =>
  Array.from({ length: sessions * 40 }, (_, row) => ({
    session: `drive ${row % sessions} ${by} ${key.join()}`,
    key,
    speed: drawn(`${row} of ${sessions}, ${key.join()}`) * 40 + by,
  }));

const definitionOf = (watched: DriftMonitor, rows: readonly Row[]): SketchDefinition =>
  fitDefinition(watched, {
    numeric: new Map([['speed', Float64Array.from(rows.flatMap(({ speed }) => speed ?? []))]]),
    categories: new Map([['ground', [...new Set(rows.flatMap(({ ground }) => ground ?? []))]]]),
  });

function evaluate(
  watched: DriftMonitor,
  reference: readonly Row[],
  current: readonly Row[],
): ReturnType<typeof evaluateDrift> {
  const definition = definitionOf(watched, reference);
  return evaluateDrift(watched, sketchOf(definition, reference), sketchOf(definition, current));
}

describe('evaluateDrift', () => {
  it('passes rows of the same kind', () => {
    expect(evaluate(monitor(), drives(10), drives(9))).toMatchObject({
      verdict: 'passed',
      alerts: [],
      counts: { failed: 0 },
    });
  });

  it('alerts the owner of the feature when its values have moved', () => {
    const { verdict, alerts } = evaluate(monitor(), drives(10), drives(10, 25));
    expect(verdict).toBe('failed');
    expect(alerts).toMatchObject([{ feature: 'speed', owner: 'motion', severity: 'error', slice: 'all' }]);
    expect(alerts[0]?.tests).toContain('wasserstein');
  });

  it('says nothing about too few rows or sessions, and why', () => {
    const few = evaluate(monitor(), drives(10), drives(2, 25));
    expect(few.verdict).toBe('inconclusive');
    expect(few.results[0]?.reason).toContain('80 rows, 100 are needed');
    const sessions = evaluate(monitor({ sampleMin: { rows: 50 } }), drives(10), drives(2, 25));
    expect(sessions.results[0]?.reason).toContain('4 are needed');
  });

  it('finds values out of range and missing values that the reference has not', () => {
    const current = drives(10).map((row, index) =>
      index % 3 === 0 ? { session: row.session } : index % 7 === 0 ? { ...row, speed: 140 } : row,
    );
    const failed = evaluate(monitor(), drives(10), current).results.filter(({ verdict }) => verdict === 'failed');
    expect(failed.map(({ test }) => test)).toEqual(expect.arrayContaining(['missing_rate', 'out_of_range']));
  });

  it('finds new categories', () => {
    const watched = monitor({ features: [{ kind: 'category', name: 'ground' }] });
    const on = (ground: readonly string[]): Row[] =>
      drives(10).map(({ session }, row) => ({
        session,
        ground: ground[Math.floor(drawn(`${row}`) * ground.length)] ?? null,
      }));
    const { results } = evaluate(watched, on(['ice', 'snow']), on(['ice', 'snow', 'sand']));
    expect(results.find(({ test }) => test === 'new_categories')).toMatchObject({
      verdict: 'failed',
      statistic: expect.closeTo(1 / 3, 2),
    });
    expect(evaluate(watched, on(['ice', 'snow']), on(['snow', 'ice'])).verdict).toBe('passed');
  });

  it('compares each season with its own, and does not take another mix of seasons for drift', () => {
    const watched = monitor({ keys: [{ name: 'season', column: 'season', as: 'text' }], seasons: ['season'] });
    const summer = drives(10, 30, ['summer']);
    const winter = drives(10, 0, ['winter']);
    expect(
      evaluate(watched, [...summer, ...winter], [...drives(12, 0, ['winter']), ...drives(8, 30, ['summer'])]).verdict,
    ).toBe('passed');
    const { alerts } = evaluate(watched, [...summer, ...winter], [...summer, ...drives(10, 30, ['winter'])]);
    expect(alerts).toMatchObject([{ season: ['winter'] }]);
    const autumn = evaluate(watched, [...summer, ...winter], drives(10, 0, ['autumn']));
    expect(autumn).toMatchObject({
      verdict: 'inconclusive',
      results: expect.arrayContaining([
        expect.objectContaining({ reason: expect.stringContaining('reference has 0 rows') }),
      ]),
    });
  });

  it('looks at the slices that the monitor names', () => {
    const watched = monitor({
      keys: [{ name: 'hardware', column: 'hardware', as: 'text' }],
      slices: [{ name: 'revision B', where: "hardware == 'B'" }],
    });
    const reference = [...drives(20, 0, ['A']), ...drives(6, 0, ['B'])];
    const { alerts } = evaluate(watched, reference, [...drives(20, 0, ['A']), ...drives(6, 12, ['B'])]);
    expect(alerts.map(({ slice }) => slice)).toContain('revision B');
    const wrong = monitor({ slices: [{ name: 'x', where: "softwre == 'B'" }] });
    expect(() => evaluate(wrong, drives(5), drives(5))).toThrow(
      expect.objectContaining({ code: 'DRIFT_MONITOR_INVALID' }),
    );
  });

  it('gives equal bytes for equal sketches, whatever order they were merged in', () => {
    const watched = monitor();
    const definition = definitionOf(watched, drives(10));
    const whole = sketchOf(definition, [...drives(5), ...drives(6, 3)]);
    const merged = new TableSketch(definition);
    merged.add(sketchOf(definition, drives(6, 3)));
    merged.add(sketchOf(definition, drives(5)));
    const reference = sketchOf(definition, drives(10));
    expect(reportBytes(reportDrift(watched, reference, merged))).toEqual(
      reportBytes(reportDrift(watched, reference, whole)),
    );
  });
});

describe('parseDriftMonitor', () => {
  it.each([
    ['an unknown field', { colour: 'red' }],
    ['no owner', { owner: '' }],
    ['a season that is no key', { seasons: ['weather'] }],
    [
      'a feature named twice',
      {
        features: [
          { kind: 'numeric', name: 'a' },
          { kind: 'numeric', name: 'a' },
        ],
      },
    ],
    ['one bin', { features: [{ kind: 'numeric', name: 'a', bins: 1 }] }],
    ['edges that do not rise', { features: [{ kind: 'numeric', name: 'a', bins: [0, 1, 1] }] }],
    ['edges further apart than a number', { features: [{ kind: 'numeric', name: 'a', bins: [-1e308, 1e308] }] }],
    ['a range without a value', { features: [{ kind: 'numeric', name: 'a', range: { min: 2, max: 1 } }] }],
    ['a test that does not fit', { features: [{ kind: 'category', name: 'a', tests: ['wasserstein'] }] }],
    ['a range test without a range', { features: [{ kind: 'numeric', name: 'a', tests: ['psi', 'out_of_range'] }] }],
  ])('refuses %s', (_, change) => {
    expect(() => monitor(change)).toThrow(expect.objectContaining({ code: 'DRIFT_MONITOR_INVALID' }));
  });
});

describe('auditBias', () => {
  const audit = parseBiasAudit({
    kind: 'bias-audit',
    name: 'ground-model',
    version: 1,
    owner: 'perception',
    outcome: { label: 'ground', prediction: 'predicted' },
    session: 'session',
    attributes: ['region'],
  });
  const pair = (label: string, prediction: string): string => `${label}${CATEGORY_SEPARATOR}${prediction}`;
  /** About one ice row in `every` is read as snow. */
  const region = (name: string, sessions: number, every: number): Row[] =>
    Array.from({ length: sessions * 30 }, (_, row) => ({
      session: `${name} ${row % sessions}`,
      key: [name],
      ground: row % 2 === 0 ? pair('snow', 'snow') : pair('ice', drawn(`${name} ${row}`) * every < 1 ? 'snow' : 'ice'),
    }));
  const report = (rows: readonly Row[]): ReturnType<typeof auditBias> =>
    auditBias(audit, sketchOf(definitionOf2(rows), rows));
  const definitionOf2 = (rows: readonly Row[]): SketchDefinition =>
    fitDefinition(countedByAudit(audit), {
      numeric: new Map(),
      categories: new Map([['outcome', [...new Set(rows.flatMap(({ ground }) => ground ?? []))]]]),
    });

  it('names the group whose recall is worse, with an interval that holds it', () => {
    const { verdict, results } = report([...region('north', 11, 2), ...region('south', 13, 15)]);
    expect(verdict).toBe('failed');
    const ice = results.find(({ group, measure }) => group === 'north' && measure === 'recall ice');
    expect(ice).toMatchObject({ verdict: 'failed' });
    expect(ice?.own?.lower).toBeLessThan(ice?.own?.value ?? 0);
    expect(ice?.own?.upper).toBeGreaterThan(ice?.own?.value ?? 1);
    expect(results.filter(({ measure }) => measure === 'recall snow').every((each) => each.verdict === 'passed')).toBe(
      true,
    );
  });

  it('passes groups that are treated alike, and judges no group that is too small', () => {
    expect(report([...region('north', 11, 5), ...region('south', 13, 5)])).toMatchObject({
      verdict: 'passed',
      counts: { failed: 0 },
    });
    const { results } = report([...region('north', 1, 2), ...region('south', 13, 15)]);
    expect(results.find(({ group }) => group === 'north')).toMatchObject({
      verdict: 'inconclusive',
      reason: expect.stringContaining('needed'),
    });
  });

  it('refuses an audit that compares nothing', () => {
    expect(() =>
      parseBiasAudit({ kind: 'bias-audit', name: 'a', version: 1, owner: 'o', session: null, attributes: ['region'] }),
    ).toThrow(expect.objectContaining({ code: 'DRIFT_MONITOR_INVALID' }));
  });
});
