/** The values of one signal, by its VSS path or by topic and field, as the columns of a plot. Reads the file once, or twice without a summary. */
import { FleetError } from '@fleetloop/schemas';
import {
  describeRecording,
  makeMessageDecoder,
  type McapBytes,
  type MessageDecoder,
  readStoredMessages,
  type StoredChannel,
} from '@fleetloop/schemas/recording';
import { PlotBuilder, type PlotSeries } from './plot-series.ts';
import type { TimeRange } from './time-range.ts';

export type SeriesRequest = {
  readonly signal: string;
  readonly columns: number;
  readonly range: TimeRange;
  readonly abort: AbortSignal;
};

/** Gives the number in a decoded message, or undefined for none. */
type Pick = { readonly unit: string; readonly valueOf: (data: Uint8Array) => number | undefined };

/** @throws FleetError SIGNAL_UNKNOWN when no channel has it; what reading the file throws */
export async function readSeries(
  file: McapBytes,
  { signal, columns, range, abort }: SeriesRequest,
): Promise<{ readonly series: PlotSeries; readonly unit: string }> {
  const described = await describeRecording(file, abort);
  const startNs = range.fromNs ?? described.startNs ?? 0n;
  const endNs = range.toNs ?? described.endNs ?? startNs;
  const builder = new PlotBuilder({ startNs, endNs }, columns);
  const picks = new Map<StoredChannel, Pick | undefined>();
  let unit: string | undefined;
  for await (const batch of readStoredMessages(file, { fromNs: startNs, toNs: endNs, signal: abort })) {
    for (const { channel, logTimeNs, data } of batch) {
      if (!picks.has(channel)) picks.set(channel, pickOf(channel, signal));
      const pick = picks.get(channel);
      if (pick === undefined) continue;
      unit ??= pick.unit;
      const value = pick.valueOf(data);
      if (value !== undefined) builder.add(logTimeNs, value);
    }
  }
  if (unit !== undefined) return { series: builder.finish(endNs), unit };
  const known = described.channels
    .map(({ topic }) => topic)
    .slice(0, TOPICS_SHOWN)
    .join(', ');
  throw new FleetError(
    'SIGNAL_UNKNOWN',
    `no message has the signal ${signal}: name a VSS path, or a topic and a field as topic:field; topics are ${known || 'none'}`,
  );
}

const TOPICS_SHOWN = 20;

function pickOf(channel: StoredChannel, signal: string): Pick | undefined {
  const own = channel.metadata.get('signals');
  const decode = makeMessageDecoder(channel);
  if (decode === undefined) return undefined;
  if (own !== undefined) {
    const found = signalsOf(own).find(({ path }) => path === signal);
    if (found !== undefined) return { unit: found.unit, valueOf: picker(decode, [signal]) };
  }
  if (!signal.startsWith(`${channel.topic}:`)) return undefined;
  const path = signal
    .slice(channel.topic.length + 1)
    .replaceAll(/\[(\d+)\]/g, '.$1')
    .split('.');
  return { unit: '', valueOf: picker(decode, path) };
}

function signalsOf(text: string): readonly { readonly path: string; readonly unit: string }[] {
  try {
    return JSON.parse(text) as readonly { readonly path: string; readonly unit: string }[];
  } catch {
    return [];
  }
}

/** A message that does not decode has no value: a plot shows what is there. */
function picker(decode: MessageDecoder, path: readonly string[]): (data: Uint8Array) => number | undefined {
  return (data) => {
    let value: unknown;
    try {
      value = decode(data);
    } catch {
      return undefined;
    }
    for (const part of path) {
      if (value === null || typeof value !== 'object' || !Object.hasOwn(value, part)) return undefined;
      value = (value as Record<string, unknown>)[part];
    }
    if (typeof value === 'bigint' || typeof value === 'boolean') return Number(value);
    // Protobuf writes 64-bit integers and NaN as text.
    if (typeof value === 'string' && value !== '') return NUMBER_TEXT.test(value) ? Number(value) : undefined;
    return typeof value === 'number' ? value : undefined;
  };
}

const NUMBER_TEXT = /^(?:NaN|-?Infinity|-?\d+)$/;
