/** From the payload of a local NATS subject to an entry, as the configuration describes it. */
import { FleetError } from '@fleetloop/schemas';
import type { PublishEntry } from '../publish/publish-codec.ts';
import type { ChannelDeclaration } from './live-channels.ts';
import type { NatsSubject } from './live-limits.ts';

const NS_PER: Readonly<Record<'s' | 'ms' | 'us' | 'ns', number>> = { s: 1e9, ms: 1e6, us: 1e3, ns: 1 };
const DECODER = new TextDecoder('utf-8', { fatal: true });

type Entry = Omit<PublishEntry, 'channel'>;

/** Undefined for a payload that is not what the configuration says. */
export type NatsDecoder = (payload: Uint8Array) => Entry | undefined;

export function declarationOf(subject: NatsSubject): ChannelDeclaration {
  const { topic, rateHz, isLatched } = subject;
  const rest = { topic, rateHz, isLatched };
  if (subject.decoding === 'raw') {
    const { schemaName, messageEncoding, schemaEncoding } = subject;
    const schemaData = new Uint8Array(Buffer.from(subject.schemaData, 'base64'));
    return { ...rest, form: { kind: 'opaque', schemaName, messageEncoding, schemaEncoding, schemaData } };
  }
  const signals = subject.signals.map(({ path, unit }) => ({ path, ...(unit === undefined ? {} : { unit }) }));
  return { ...rest, form: { kind: 'signal', signals }, clock: subject.stamp?.clock };
}

export function makeNatsDecoder(subject: NatsSubject): NatsDecoder {
  if (subject.decoding === 'raw') {
    return (data) => ({ sequence: undefined, stampNs: undefined, values: undefined, data, sizeBytes: data.length });
  }
  const names = subject.signals.map(({ from }) => from.split('.'));
  const stampNames = subject.stamp?.from.split('.');
  const nsPerUnit = NS_PER[subject.stamp?.unit ?? 'ns'];
  return (payload) => {
    const document = parse(payload);
    if (document === undefined) return undefined;
    const values = Float64Array.from(names, (name) => numberAt(document, name) ?? Number.NaN);
    if (values.every(Number.isNaN)) return undefined;
    const stamp = stampNames === undefined ? undefined : numberAt(document, stampNames);
    const stampNs = stamp === undefined ? undefined : toNs(stamp, nsPerUnit);
    return { sequence: undefined, stampNs, values, data: undefined, sizeBytes: payload.length };
  };
}

/** Whole and fractional part apart: a double holds seconds since the epoch to a quarter of a microsecond only as one number. */
function toNs(stamp: number, nsPerUnit: number): bigint {
  const whole = Math.floor(stamp);
  return BigInt(whole) * BigInt(nsPerUnit) + BigInt(Math.round((stamp - whole) * nsPerUnit));
}

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(DECODER.decode(payload));
  } catch {
    return undefined;
  }
}

function numberAt(document: unknown, names: readonly string[]): number | undefined {
  let at = document;
  for (const name of names) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  if (typeof at === 'boolean') return at ? 1 : 0;
  return typeof at === 'number' && Number.isFinite(at) ? at : undefined;
}

/** @throws FleetError CONFIG_INVALID when two entries fill one topic */
export function checkSubjects(subjects: readonly NatsSubject[]): void {
  const topics = subjects.map(({ topic }) => topic);
  const twice = topics.find((topic, index) => topics.indexOf(topic) !== index);
  if (twice !== undefined) throw new FleetError('CONFIG_INVALID', `live.nats.subjects fills ${twice} twice`);
}
