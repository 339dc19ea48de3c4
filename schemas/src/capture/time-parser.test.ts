/** A stamp that is off by one digit moves a whole drive; every kind is checked at its edges. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIsoNs, parseTimeNs, secondsToNs } from './time-parser.ts';

describe('parseTimeNs', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0n],
    ['2019-05-23T20:54:11Z', 1558644851000000000n],
    ['2019-05-23T20:54:11.000000001Z', 1558644851000000001n],
    ['2019-05-23T22:54:11+02:00', 1558644851000000000n],
    ['2019-05-23T15:24:11.5-05:30', 1558644851500000000n],
  ])('reads %s', (text, expected) => {
    expect(parseIsoNs(text)).toBe(expected);
  });

  it.each([
    '2019-02-30T00:00:00Z',
    '2019-05-23T20:54:11',
    '2019-05-23 20:54:11Z',
    '2019-13-01T00:00:00Z',
    '2019-01-01T00:00:00+25:00',
    '',
    'now',
  ])('refuses "%s" as a time', (text) => {
    expect(parseTimeNs(text, 'iso8601')).toBeUndefined();
  });

  it('reads decimal text without a double in between', () => {
    expect(parseTimeNs('0.15384615384615385', 'seconds')).toBe(153846154n);
    expect(parseTimeNs('1558644851.123456789', 'seconds')).toBe(1558644851123456789n);
    expect(parseTimeNs('-0.5', 'seconds')).toBe(-500000000n);
    expect(parseTimeNs('1.5', 'milliseconds')).toBe(1500000n);
    expect(parseTimeNs('2.5', 'microseconds')).toBe(2500n);
    expect(parseTimeNs('7', 'nanoseconds')).toBe(7n);
  });

  it('reads zone-less local time as if it were UTC', () => {
    expect(parseTimeNs('2019-05-24T18:11:23.018', 'local8601')).toBe(parseIsoNs('2019-05-24T18:11:23.018Z'));
    expect(parseTimeNs('2019-05-24 18:11:23', 'local8601')).toBe(parseIsoNs('2019-05-24T18:11:23Z'));
    expect(parseTimeNs('24-May-2019 18:11:23.018', 'localDayMonth')).toBe(parseIsoNs('2019-05-24T18:11:23.018Z'));
  });

  it.each([
    ['2019-05-24T18:11:23Z', 'local8601'],
    ['2019-02-30 00:00:00', 'local8601'],
    ['24-Mai-2019 18:11:23', 'localDayMonth'],
    ['31-Feb-2019 18:11:23', 'localDayMonth'],
  ] as const)('refuses "%s" as %s', (text, kind) => {
    expect(parseTimeNs(text, kind)).toBeUndefined();
  });

  it.each(['', ' 1', '1e3', 'NaN', '0x10', '1.', '--1', 'Infinity'])('refuses "%s" as seconds', (text) => {
    expect(parseTimeNs(text, 'seconds')).toBeUndefined();
  });

  it('comes back to the nanosecond for any stamp', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n }), (ns) => {
        const text = `${ns / 1_000_000_000n}.${(ns % 1_000_000_000n).toString().padStart(9, '0')}`;
        expect(parseTimeNs(text, 'seconds')).toBe(ns);
      }),
    );
  });
});

describe('secondsToNs', () => {
  it('rounds to the nanosecond and refuses what is not finite', () => {
    expect(secondsToNs(46408.5)).toBe(46408500000000n);
    expect(secondsToNs(-0.25)).toBe(-250000000n);
    expect(secondsToNs(Number.NaN)).toBeUndefined();
    expect(secondsToNs(Number.POSITIVE_INFINITY)).toBeUndefined();
  });
});
