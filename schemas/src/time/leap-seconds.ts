/** TAI and GPS time against UTC. The table ends: after its validity a conversion may be off by a second, and says so. */

const NS_PER_S = 1_000_000_000n;
const S = (iso: string): bigint => BigInt(Date.parse(iso)) / 1_000n;

/** First UTC second of each value of TAI − UTC, s, since leap seconds exist (IERS Bulletin C). */
const TABLE: readonly (readonly [fromUtcS: bigint, taiMinusUtcS: bigint])[] = [
  [S('1972-01-01'), 10n],
  [S('1972-07-01'), 11n],
  [S('1973-01-01'), 12n],
  [S('1974-01-01'), 13n],
  [S('1975-01-01'), 14n],
  [S('1976-01-01'), 15n],
  [S('1977-01-01'), 16n],
  [S('1978-01-01'), 17n],
  [S('1979-01-01'), 18n],
  [S('1980-01-01'), 19n],
  [S('1981-07-01'), 20n],
  [S('1982-07-01'), 21n],
  [S('1983-07-01'), 22n],
  [S('1985-07-01'), 23n],
  [S('1988-01-01'), 24n],
  [S('1990-01-01'), 25n],
  [S('1991-01-01'), 26n],
  [S('1992-07-01'), 27n],
  [S('1993-07-01'), 28n],
  [S('1994-07-01'), 29n],
  [S('1996-01-01'), 30n],
  [S('1997-07-01'), 31n],
  [S('1999-01-01'), 32n],
  [S('2006-01-01'), 33n],
  [S('2009-01-01'), 34n],
  [S('2012-07-01'), 35n],
  [S('2015-07-01'), 36n],
  [S('2017-01-01'), 37n],
];

/** Up to here the table is known to be complete (Bulletin C of July 2025); a later leap second is not in it. */
export const LEAP_SECONDS_VALID_UNTIL = '2026-06-28T00:00:00Z';
const VALID_UNTIL_NS = BigInt(Date.parse(LEAP_SECONDS_VALID_UNTIL)) * 1_000_000n;

/** GPS time runs at TAI − 19 s and counts from here. */
export const GPS_EPOCH_UTC_NS = BigInt(Date.parse('1980-01-06')) * 1_000_000n;
const TAI_MINUS_GPS_S = 19n;
const SECONDS_PER_WEEK = 604_800;
/** Receivers of the first generation count weeks in 10 bits. */
export const GPS_WEEKS_PER_ROLLOVER = 1_024;

/** `uncertaintyNs` is 1 s inside a leap second, which UTC as a count has no number for, and outside of the table. */
export type UtcOfAtomic = { readonly utcNs: bigint; readonly uncertaintyNs: bigint };

/**
 * UTC of a TAI stamp, ns since 1970-01-01T00:00:00 TAI (`CLOCK_TAI`, PTP). A stamp inside a leap second becomes the second after
 * it, as POSIX counts.
 */
export function utcOfTai(taiNs: bigint): UtcOfAtomic {
  const [firstUtcS, firstOffsetS] = TABLE[0] as (typeof TABLE)[number];
  let offsetS = firstOffsetS;
  let isLeapSecond = false;
  for (const [fromUtcS, taiMinusUtcS] of TABLE) {
    const startTaiNs = (fromUtcS + taiMinusUtcS) * NS_PER_S;
    if (taiNs < startTaiNs) {
      isLeapSecond = fromUtcS !== firstUtcS && taiNs >= startTaiNs - NS_PER_S;
      break;
    }
    offsetS = taiMinusUtcS;
  }
  const utcNs = taiNs - offsetS * NS_PER_S;
  const isOutside = utcNs < firstUtcS * NS_PER_S || utcNs >= VALID_UNTIL_NS;
  return { utcNs, uncertaintyNs: isLeapSecond || isOutside ? NS_PER_S : 0n };
}

/** UTC of a GPS stamp, ns since 1980-01-06T00:00:00 without leap seconds. */
export function utcOfGps(gpsNs: bigint): UtcOfAtomic {
  return utcOfTai(GPS_EPOCH_UTC_NS + gpsNs + TAI_MINUS_GPS_S * NS_PER_S);
}

/**
 * GPS ns since 1980-01-06 of a week number and the time of week. A receiver that counts weeks in 10 bits needs `notBeforeUtcNs`
 * (the day its firmware was built, say): the first week of that number behind it is meant.
 */
export function gpsNsOfWeek(week: number, towS: number, notBeforeUtcNs?: bigint): bigint {
  const towNs = BigInt(Math.floor(towS)) * NS_PER_S + BigInt(Math.round((towS - Math.floor(towS)) * 1e9));
  let full = week;
  if (notBeforeUtcNs !== undefined) {
    const pivot = Number((notBeforeUtcNs - GPS_EPOCH_UTC_NS) / NS_PER_S / BigInt(SECONDS_PER_WEEK));
    full = week + Math.max(0, Math.ceil((pivot - week) / GPS_WEEKS_PER_ROLLOVER)) * GPS_WEEKS_PER_ROLLOVER;
  }
  return BigInt(full) * BigInt(SECONDS_PER_WEEK) * NS_PER_S + towNs;
}
