/** Local time is the one clock that repeats itself: what cannot be told apart must be said. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isZone } from './local-zone.ts';
import { SourceClockDeclaration } from './source-clock.ts';
import { makeFileClock, makeUtcClock } from './utc-clock.ts';

const ns = (iso: string): bigint => BigInt(Date.parse(iso)) * 1_000_000n;
/** A local reading taken as if it were UTC. */
const civil = (text: string): bigint => ns(`${text}Z`);
const HOUR_NS = 3_600_000_000_000n;
const clockOf = (declaration: unknown) => makeUtcClock(SourceClockDeclaration.parse(declaration));
const chicago = { kind: 'local', zone: 'America/Chicago' };

describe('makeUtcClock', () => {
  it('reads local time with the offset of its season', () => {
    const clock = clockOf(chicago);
    expect(clock.toUtc(civil('2019-05-24T12:00:00')).utcNs).toBe(ns('2019-05-24T17:00:00Z'));
    expect(clock.toUtc(civil('2019-01-24T12:00:00')).utcNs).toBe(ns('2019-01-24T18:00:00Z'));
    expect(clockOf({ kind: 'local', zone: '-05:30' }).toUtc(civil('2019-05-24T12:00:00')).utcNs).toBe(
      ns('2019-05-24T17:30:00Z'),
    );
  });

  it('takes the declared reading of a repeated hour and is unsure by an hour', () => {
    const stamp = civil('2019-11-03T01:30:00');
    expect(clockOf(chicago).toUtc(stamp)).toEqual({ utcNs: ns('2019-11-03T06:30:00Z'), uncertaintyNs: HOUR_NS });
    expect(clockOf({ ...chicago, repeated: 'second' }).toUtc(stamp).utcNs).toBe(ns('2019-11-03T07:30:00Z'));
  });

  it('knows the second reading once the stamps have jumped back', () => {
    const clock = clockOf(chicago);
    clock.toUtc(civil('2019-11-03T01:59:59'));
    expect(clock.toUtc(civil('2019-11-03T01:00:00'))).toEqual({
      utcNs: ns('2019-11-03T07:00:00Z'),
      uncertaintyNs: 0n,
    });
    expect(clock.toUtc(civil('2019-11-03T02:00:00')).utcNs).toBe(ns('2019-11-03T08:00:00Z'));
  });

  it('lets the arrival tell the readings apart', () => {
    const near = ns('2019-11-03T07:30:02Z');
    expect(clockOf(chicago).toUtc(civil('2019-11-03T01:30:00'), near).utcNs).toBe(ns('2019-11-03T07:30:00Z'));
  });

  it('reads a skipped hour as a clock that was not put forward and is unsure by an hour', () => {
    expect(clockOf(chicago).toUtc(civil('2019-03-10T02:30:00'))).toEqual({
      utcNs: ns('2019-03-10T08:30:00Z'),
      uncertaintyNs: HOUR_NS,
    });
  });

  it('comes back to the moment that local time was made of, whatever the zone', () => {
    const zones = ['America/Chicago', 'Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'America/St_Johns'];
    const moments = fc.integer({ min: Date.parse('1990-01-01'), max: Date.parse('2025-12-31') });
    fc.assert(
      fc.property(fc.constantFrom(...zones), moments, (zone, utcMs) => {
        const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
        const wholeMs = Math.floor(utcMs / 1_000) * 1_000;
        const stamp = civil(format.format(wholeMs).replace(' ', 'T'));
        const { utcNs, uncertaintyNs } = clockOf({ kind: 'local', zone }).toUtc(stamp);
        const errorNs = utcNs - BigInt(wholeMs) * 1_000_000n;
        expect(errorNs < 0n ? -errorNs : errorNs).toBeLessThanOrEqual(uncertaintyNs);
        expect(uncertaintyNs).toBeLessThanOrEqual(HOUR_NS);
      }),
      { numRuns: 300 },
    );
  });
});

describe('makeFileClock', () => {
  it('adds a known offset to stamps since boot and reports it', () => {
    const clock = makeFileClock(SourceClockDeclaration.parse({ kind: 'boot', offsetNs: '1000', uncertaintyNs: 7 }));
    expect(clock.state()).toEqual({ offsetNs: 0n, uncertaintyNs: 0n });
    expect(clock.toUtcNs(5n)).toBe(1_005n);
    expect(clock.state()).toEqual({ offsetNs: 1_000n, uncertaintyNs: 7n });
  });

  it('refuses stamps since boot without an offset', () => {
    expect(() => makeFileClock(SourceClockDeclaration.parse({ kind: 'boot' }))).toThrow(
      expect.objectContaining({ code: 'CLOCK_INVALID' }),
    );
  });

  it('counts GPS time from either epoch', () => {
    const gps = makeFileClock(SourceClockDeclaration.parse({ kind: 'gps' }));
    const unix = makeFileClock(SourceClockDeclaration.parse({ kind: 'gps', epoch: 'unix' }));
    const utcNs = ns('2020-01-01T00:00:00Z');
    expect(unix.toUtcNs(utcNs + 18_000_000_000n)).toBe(utcNs);
    expect(gps.toUtcNs(utcNs + 18_000_000_000n - ns('1980-01-06T00:00:00Z'))).toBe(utcNs);
  });
});

describe('SourceClockDeclaration', () => {
  it.each([
    [{ kind: 'local' }],
    [{ kind: 'local', zone: 'Mars/Olympus' }],
    [{ kind: 'local', zone: '+99:00' }],
    [{ kind: 'sundial' }],
    [{ kind: 'utc', offset: 1 }],
    [{ kind: 'boot', offsetNs: '1.5' }],
  ])('refuses %j', (declaration) => {
    expect(SourceClockDeclaration.safeParse(declaration).success).toBe(false);
  });

  it('knows zones by their name or their offset', () => {
    expect(['Europe/Berlin', 'UTC', '+02:00', '-11:45'].filter((zone) => !isZone(zone))).toEqual([]);
    expect(['', 'Europe/Nowhere', '2:00', '+02', '../etc'].filter(isZone)).toEqual([]);
  });
});
