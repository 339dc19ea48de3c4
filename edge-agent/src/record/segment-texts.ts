/** What a segment says of a session besides its messages, as JSON: who it is, its channels, and the latched messages in force. */
import type { Channel, SessionDescription } from '@fleetloop/schemas';
import { z } from 'zod';
import { channelText } from './channel-table.ts';
import type { ContextRecord } from './latched-context.ts';

const SessionText = z.strictObject({
  session: z.string(),
  attributes: z.record(z.string(), z.string()),
  baseNs: z.string().regex(/^\d{1,20}$/),
});

const bytes = z
  .strictObject({ base64: z.string() })
  .transform(({ base64 }) => new Uint8Array(Buffer.from(base64, 'base64')));
const header = { topic: z.string(), rateHz: z.number().optional(), isLatched: z.boolean().optional() };
const ChannelText = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('signal'),
    ...header,
    signals: z.array(z.strictObject({ path: z.string(), field: z.string(), unit: z.string() })),
  }),
  z.strictObject({
    kind: z.literal('opaque'),
    ...header,
    schemaName: z.string(),
    encoding: z.strictObject({ messageEncoding: z.string(), schemaEncoding: z.string(), schemaData: bytes }).optional(),
  }),
]);
/** Channels from id `first` on. */
const ChannelsText = z.strictObject({ first: z.int().min(0), channels: z.array(z.string()) });
const ContextText = z.array(z.strictObject({ topic: z.string(), channelId: z.int().min(0), time: z.number(), bytes }));

export type SessionFacts = SessionDescription & { readonly baseNs: bigint };

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

export const encodeSession = ({ session, attributes, baseNs }: SessionFacts): Uint8Array =>
  encode(JSON.stringify({ session, attributes, baseNs: baseNs.toString() }));

export const encodeChannels = (first: number, channels: readonly Channel[]): Uint8Array =>
  encode(JSON.stringify({ first, channels: channels.map(channelText) }));

export const encodeContext = (records: readonly ContextRecord[]): Uint8Array =>
  encode(
    JSON.stringify(
      records.map((record) => ({ ...record, bytes: { base64: Buffer.from(record.bytes).toString('base64') } })),
    ),
  );

/** Undefined for bytes that are not such a text; the CRC has been looked at before. */
export function decodeSession(payload: Uint8Array): SessionFacts | undefined {
  const parsed = SessionText.safeParse(parseJson(payload));
  return parsed.success ? { ...parsed.data, baseNs: BigInt(parsed.data.baseNs) } : undefined;
}

export function decodeChannels(
  payload: Uint8Array,
): { readonly first: number; readonly channels: readonly Channel[] } | undefined {
  const parsed = ChannelsText.safeParse(parseJson(payload));
  if (!parsed.success) return undefined;
  const channels = parsed.data.channels.map((text) => ChannelText.safeParse(parseJson(encode(text))));
  const found = channels.flatMap((each) => (each.success ? [withoutAbsent(each.data)] : []));
  return found.length === channels.length ? { first: parsed.data.first, channels: found } : undefined;
}

export function decodeContext(payload: Uint8Array): readonly ContextRecord[] | undefined {
  const parsed = ContextText.safeParse(parseJson(payload));
  return parsed.success ? parsed.data : undefined;
}

/** Optional fields are absent, not undefined. */
function withoutAbsent(channel: z.infer<typeof ChannelText>): Channel {
  return Object.fromEntries(Object.entries(channel).filter(([, value]) => value !== undefined)) as Channel;
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return undefined;
  }
}
