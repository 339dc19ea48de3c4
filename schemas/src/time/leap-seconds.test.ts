/** A second of error in a stamp is thirty metres on a motorway. */
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GPS_EPOCH_UTC_NS, gpsNsOfWeek, LEAP_SECONDS_VALID_UNTIL, utcOfGps, utcOfTai } from './leap-seconds.ts';

const ns = (iso: string): bigint => BigInt(Date.parse(iso)) * 1_000_000n;
const S = 1_000_000_000n;
/** The table as the operating system has it. */
const SYSTEM_TABLE = '/usr/share/zoneinfo/leap-seconds.list';
const NTP_EPOCH_S = 2_208_988_800n;

describe('leap seconds', () => {
  it('puts GPS time on UTC with the 18 s that hold since 2017', () => {
    expect(utcOfGps(ns('2018-08-02T16:14:00Z') - GPS_EPOCH_UTC_NS + 18n * S)).toEqual({
      utcNs: ns('2018-08-02T16:14:00Z'),
      uncertaintyNs: 0n,
    });
    expect(utcOfGps(0n)).toEqual({ utcNs: GPS_EPOCH_UTC_NS, uncertaintyNs: 0n });
  });

  it('counts a leap second as POSIX does and says that it is unsure there', () => {
    const start = ns('2017-01-01T00:00:00Z') + 36n * S;
    expect(utcOfTai(start - 1n)).toEqual({ utcNs: ns('2017-01-01T00:00:00Z') - 1n, uncertaintyNs: 0n });
    expect(utcOfTai(start + S / 2n)).toEqual({ utcNs: ns('2017-01-01T00:00:00Z') + S / 2n, uncertaintyNs: S });
    expect(utcOfTai(start + S)).toEqual({ utcNs: ns('2017-01-01T00:00:00Z'), uncertaintyNs: 0n });
  });

  it('is unsure by a second behind the validity of its table', () => {
    const until = ns(LEAP_SECONDS_VALID_UNTIL);
    expect(utcOfTai(until + 37n * S - 1n).uncertaintyNs).toBe(0n);
    expect(utcOfTai(until + 37n * S).uncertaintyNs).toBe(S);
  });

  it('resolves a week number of 10 bits behind a known day', () => {
    const full = gpsNsOfWeek(2_012, 404_040.5);
    expect(gpsNsOfWeek(2_012 % 1_024, 404_040.5, ns('2018-01-01T00:00:00Z'))).toBe(full);
    expect(gpsNsOfWeek(2_012, 404_040.5, ns('2018-01-01T00:00:00Z'))).toBe(full);
    expect(utcOfGps(full).utcNs).toBe(ns('2018-08-02T16:13:42.500Z'));
  });

  it('never goes back outside of a leap second', () => {
    const range = { min: ns('1972-01-02T00:00:00Z'), max: ns('2026-01-01T00:00:00Z') };
    fc.assert(
      fc.property(fc.bigInt(range), fc.bigInt({ min: 0n, max: 400n * 86_400n * S }), (a, step) => {
        const first = utcOfTai(a);
        const second = utcOfTai(a + step);
        expect(second.utcNs + second.uncertaintyNs).toBeGreaterThanOrEqual(first.utcNs - first.uncertaintyNs);
      }),
    );
  });

  it.skipIf(!existsSync(SYSTEM_TABLE))('agrees with the table of the system, as far as that goes', () => {
    const rows = readFileSync(SYSTEM_TABLE, 'utf8').matchAll(/^(\d+)\s+(\d+)\s/gm);
    let count = 0;
    for (const [, ntpS, offsetS] of rows) {
      const utcNs = (BigInt(ntpS ?? 0) - NTP_EPOCH_S) * S;
      expect(utcOfTai(utcNs + BigInt(offsetS ?? 0) * S).utcNs).toBe(utcNs);
      count += 1;
    }
    expect(count).toBeGreaterThanOrEqual(28);
  });
});
