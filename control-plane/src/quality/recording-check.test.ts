/** The check on small streams made for it: clocks, losses, what is not a number, limits, and streams without sense. */
import type { OpaqueChannel, SignalChannel, SourceMessage } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultStandard } from './default-standard.ts';
import { FINDINGS_MAX } from './finding.ts';
import { RecordingCheck, type RecordingFacts } from './recording-check.ts';
import { parseStandard } from './standard.ts';

const START_NS = 1_700_000_000_000_000_000n;
const SPEED: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
};
const GNSS: OpaqueChannel = {
  kind: 'opaque',
  topic: '/gnss',
  schemaName: 'gnss',
  encoding: { messageEncoding: 'json', schemaEncoding: '', schemaData: new Uint8Array(0) },
};

type Stamp = { readonly logTimeNs: bigint; readonly publishTimeNs?: bigint; readonly sequence?: number };
const speed = ({ logTimeNs, publishTimeNs = logTimeNs, sequence = 0 }: Stamp, value: number): SourceMessage => ({
  kind: 'signal',
  channel: SPEED,
  sequence,
  logTimeNs,
  publishTimeNs,
  values: Float64Array.of(value),
});
const gnss = (logTimeNs: bigint, utcMs: number): SourceMessage => ({
  kind: 'opaque',
  channel: GNSS,
  sequence: 0,
  logTimeNs,
  publishTimeNs: logTimeNs,
  data: Buffer.from(JSON.stringify({ utc_ms: utcMs })),
});
const series = (count: number, make: (index: number, atNs: bigint) => SourceMessage): readonly SourceMessage[] =>
  Array.from({ length: count }, (_, index) => make(index, START_NS + BigInt(index) * 100_000_000n));

function rulesOf(messages: readonly SourceMessage[], facts: RecordingFacts = {}): readonly string[] {
  const check = new RecordingCheck(defaultStandard());
  for (const message of messages) check.push(message);
  return check.finish(facts).findings.map(({ rule }) => rule);
}

const UTC_MS = Number(START_NS / 1_000_000n);
const steady = series(100, (sequence, logTimeNs) => speed({ logTimeNs, sequence }, 50 + Math.sin(sequence)));

describe('RecordingCheck', () => {
  it('accepts a steady stream, and quarantines one without messages or with damage', () => {
    expect(rulesOf(steady)).toEqual([]);
    expect(rulesOf([])).toEqual(['structure.empty']);
    const damaged = new RecordingCheck(defaultStandard()).finish({ damage: 'cut off' });
    expect(damaged).toMatchObject({
      verdict: 'quarantined',
      findings: [{ rule: 'structure.damaged', severity: 'error' }],
    });
  });

  it('finds lost messages by their numbers, but not those that came in another order', () => {
    const lossy = steady.filter((_, index) => index % 10 !== 5);
    expect(rulesOf(lossy)).toEqual(['structure.loss']);
    const [first, second, ...rest] = steady.map((message) => message.sequence);
    const order = [second ?? 0, first ?? 0, ...rest];
    expect(rulesOf(steady.map((message, index) => ({ ...message, sequence: order[index] ?? 0 })))).toEqual([]);
  });

  it.each([
    ['an hour', 3_600_000, 'clock.zone'],
    ['five and a half hours', -19_800_000, 'clock.zone'],
    ['seven minutes', 420_000, 'clock.offset'],
  ])('tells a log clock that is %s off from the receiver', (_name, offMs, rule) => {
    const at = (index: number): number => UTC_MS + index * 100 - offMs;
    expect(rulesOf(series(64, (index, logTimeNs) => gnss(logTimeNs, at(index))))).toEqual([rule]);
    expect(rulesOf(series(64, (index, logTimeNs) => gnss(logTimeNs, UTC_MS + index * 100)))).toEqual([]);
  });

  it('finds a step of the clock against the receiver', () => {
    const messages = series(64, (index, logTimeNs) => gnss(logTimeNs, UTC_MS + index * 100 + (index < 32 ? 0 : 1_500)));
    expect(rulesOf(messages)).toEqual(['clock.step']);
  });

  it('finds publish times that change their distance, or lie whole hours away', () => {
    const late = (index: number): bigint => (index < 50 ? 0n : 400_000_000n);
    const changing = series(100, (sequence, logTimeNs) =>
      speed({ logTimeNs, publishTimeNs: logTimeNs - late(sequence), sequence }, 50 + Math.sin(sequence)),
    );
    expect(rulesOf(changing)).toEqual(['clock.skew']);
    const local = series(100, (sequence, logTimeNs) =>
      speed({ logTimeNs, publishTimeNs: logTimeNs - 7_200_000_000_000n, sequence }, 50 + Math.sin(sequence)),
    );
    expect(rulesOf(local)).toEqual(['clock.zone']);
  });

  it('finds a clock that runs too fast by less than any step, and bears one that a crystal may have', () => {
    const drifting = (ppm: number): readonly SourceMessage[] =>
      series(2_000, (sequence, logTimeNs) => {
        const byNs = BigInt(Math.round((Number(logTimeNs - START_NS) * ppm) / 1e6));
        return speed({ logTimeNs, publishTimeNs: logTimeNs - byNs, sequence }, 50 + Math.sin(sequence));
      });
    expect(rulesOf(drifting(250))).toEqual(['clock.skew']);
    expect(rulesOf(drifting(40))).toEqual([]);
  });

  it('finds log times that went back in the file although they come in order', () => {
    const stepOf = (topic: string, backNs: bigint) => ({ topic, fromNs: START_NS + backNs, toNs: START_NS });
    expect(rulesOf(steady, { stepsBack: [stepOf('/vss/Vehicle', 300_000_000n)] })).toEqual(['clock.backwards']);
    expect(rulesOf(steady, { stepsBack: [stepOf('/vss/Vehicle', 5_000_000n)] })).toEqual([]);
  });

  it('finds messages that came twice by their content, and none in frames that share a stamp', () => {
    const twice = steady.flatMap((message, index) => (index % 10 === 5 ? [message, { ...message }] : [message]));
    expect(rulesOf(twice)).toEqual(['structure.duplicates']);
    const renumbered = twice.map((message, sequence) => ({ ...message, sequence }));
    expect(rulesOf(renumbered)).toEqual(['structure.duplicates']);
    const frames = renumbered.map((message, index) => speed(message, 50 + Math.sin(index)));
    expect(rulesOf(frames)).toEqual([]);
  });

  it('finds infinities and values outside of the range', () => {
    const odd = steady.map((message, index) => (index === 40 ? speed(message, Number.POSITIVE_INFINITY) : message));
    expect(rulesOf(odd)).toContain('value.infinite');
    expect(rulesOf(steady.map((message, index) => (index === 40 ? speed(message, 900) : message)))).toContain(
      'value.range',
    );
  });

  it('finds topics that are declared or expected but absent', () => {
    expect(rulesOf(steady, { declared: [{ topic: '/camera', rateHz: 10 }, { topic: '/seldom' }] })).toEqual([
      'completeness.topic',
    ]);
    const standard = parseStandard({
      kind: 'quality-standard',
      name: 'camera',
      version: 1,
      quarantineOn: [],
      expected: [{ topic: '/camera' }, { path: 'Vehicle.Speed' }],
    });
    const check = new RecordingCheck(standard);
    for (const message of steady) check.push(message);
    expect(check.finish({}).findings.map(({ evidence }) => evidence)).toEqual([{ expected: '/camera' }]);
  });

  it('turns rules off and quarantines as the standard says', () => {
    const empty = (change: object) =>
      new RecordingCheck(
        parseStandard({ kind: 'quality-standard', name: 'x', version: 1, quarantineOn: ['structure.*'], ...change }),
      ).finish({}).verdict;
    expect(empty({})).toBe('quarantined');
    expect(empty({ rules: { 'structure.empty': { severity: 'warning' } } })).toBe('accepted_with_findings');
    expect(empty({ rules: { 'structure.empty': { isOff: true } } })).toBe('accepted');
  });

  it('gives a bounded report for streams without sense, and throws for none', () => {
    const value = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, Infinity, -Infinity, 0, 1e308));
    const message = fc.record({ kind: fc.boolean(), value, logTimeNs: fc.bigInt(0n, 2n ** 63n), sequence: fc.nat() });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 200 }), (drawn) => {
        const check = new RecordingCheck(defaultStandard());
        for (const { kind, value: number, ...stamp } of drawn)
          check.push(kind ? speed(stamp, number) : gnss(stamp.logTimeNs, number));
        const { findings } = check.finish({});
        expect(findings.length).toBeLessThanOrEqual(FINDINGS_MAX);
        expect(() => JSON.stringify(findings)).not.toThrow();
      }),
    );
  });
});
