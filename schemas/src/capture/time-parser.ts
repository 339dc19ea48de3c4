/** Turns the stamps of sources into nanoseconds without passing through a double where the text is exact. */

/** How a source writes its stamps. */
export const TIME_KINDS = [
  'iso8601',
  'seconds',
  'milliseconds',
  'microseconds',
  'nanoseconds',
  'local8601',
  'localDayMonth',
] as const;
export type TimeKind = (typeof TIME_KINDS)[number];

const ISO = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:Z|([+-])(\d{2}):(\d{2}))$/;
const DECIMAL = /^([+-])?(\d{1,18})(?:\.(\d+))?$/;
const LOCAL_ISO = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?$/;
const LOCAL_DAY_MONTH = /^(\d{2})-([A-Z][a-z]{2})-(\d{4}) (\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
type DecimalKind = Exclude<TimeKind, 'iso8601' | 'local8601' | 'localDayMonth'>;
const FRACTION_DIGITS: Readonly<Record<DecimalKind, number>> = {
  seconds: 9,
  milliseconds: 6,
  microseconds: 3,
  nanoseconds: 0,
};

/**
 * Nanoseconds of a stamp, or undefined when the text is not a stamp of that kind. Zone-less local time comes out as if its zone were
 * UTC; the clock that the mapping declares tells how far that is off.
 */
export function parseTimeNs(text: string, kind: TimeKind): bigint | undefined {
  if (kind === 'iso8601') return parseIsoNs(text);
  if (kind === 'local8601') return parseLocalNs(LOCAL_ISO.exec(text), [1, 2, 3]);
  if (kind === 'localDayMonth') return parseLocalNs(LOCAL_DAY_MONTH.exec(text), [3, 2, 1]);
  return parseDecimalNs(text, FRACTION_DIGITS[kind]);
}

/** The groups of a zone-less stamp; `order` names those of year, month and day. */
function parseLocalNs(match: RegExpExecArray | null, order: readonly [number, number, number]): bigint | undefined {
  if (match === null) return undefined;
  const [year, monthText, day] = order.map((group) => match[group] ?? '');
  const index = MONTHS.indexOf(monthText ?? '');
  const month = index === -1 ? monthText : String(index + 1).padStart(2, '0');
  const fraction = match[5] === undefined ? '' : `.${match[5]}`;
  return parseIsoNs(`${year}-${month}-${day}T${match[4]}${fraction}Z`);
}

/** Decimal text of any number of digits in the given unit. */
export function isDecimalKind(kind: TimeKind): kind is DecimalKind {
  return Object.hasOwn(FRACTION_DIGITS, kind);
}

/** Nanoseconds since the Unix epoch of an ISO 8601 stamp with zone, or undefined. */
export function parseIsoNs(text: string): bigint | undefined {
  const match = ISO.exec(text);
  const main = match?.[1];
  if (match === null || main === undefined) return undefined;
  const ms = Date.parse(`${main}Z`);
  // Date.parse accepts 30 February by carrying over: the text must come back unchanged.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== main) return undefined;
  const fraction = BigInt((match[2] ?? '').padEnd(9, '0'));
  const zoneMinutes = Number(match[4] ?? 0) * 60 + Number(match[5] ?? 0);
  if (Number(match[4] ?? 0) > 23 || Number(match[5] ?? 0) > 59) return undefined;
  const zoneMs = (match[3] === '-' ? -1 : 1) * zoneMinutes * 60_000;
  return BigInt(ms - zoneMs) * 1_000_000n + fraction;
}

/** Decimal text times 10^digits, rounded half away from zero; exact for any number of digits. */
function parseDecimalNs(text: string, digits: number): bigint | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const fraction = (match[3] ?? '').padEnd(digits + 1, '0');
  const magnitude = BigInt(`${match[2]}${fraction.slice(0, digits)}`) + (fraction.charCodeAt(digits) >= 0x35 ? 1n : 0n);
  return match[1] === '-' ? -magnitude : magnitude;
}

/** Nanoseconds of a double in seconds; whole and fractional part apart, so that stamps since the epoch keep what they have. */
export function secondsToNs(seconds: number): bigint | undefined {
  if (!Number.isFinite(seconds)) return undefined;
  const whole = Math.floor(seconds);
  return BigInt(whole) * 1_000_000_000n + BigInt(Math.round((seconds - whole) * 1e9));
}
