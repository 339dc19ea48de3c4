/** What `recording cat` prints of a message: decoded where the file brings its schema, or else the first bytes. */
import {
  makeMessageDecoder,
  type MessageDecoder,
  type StoredChannel,
  type StoredMessage,
} from '@fleetloop/schemas/recording';

/** Bytes shown of data that nothing decodes. */
const HEAD_BYTES = 48;
/** Elements of an array that are printed as text; JSON has all of them. */
const ARRAY_SHOWN_MAX = 8;

export type CatLine = {
  readonly topic: string;
  readonly logTimeNs: string;
  readonly publishTimeNs: string;
  readonly sequence: number;
  readonly encoding: string;
  readonly schema: string;
  readonly sizeBytes: number;
  /** Absent when nothing decodes the message. */
  readonly value?: unknown;
  /** The first bytes, base64, when nothing decodes it. */
  readonly head?: string;
  /** Why the message does not decode although its schema is there. */
  readonly problem?: string;
};

export class MessagePrinter {
  readonly #decoders = new Map<StoredChannel, MessageDecoder | undefined>();

  line({ channel, sequence, logTimeNs, publishTimeNs, data }: StoredMessage): CatLine {
    if (!this.#decoders.has(channel)) this.#decoders.set(channel, makeMessageDecoder(channel));
    const decode = this.#decoders.get(channel);
    const common = {
      topic: channel.topic,
      logTimeNs: String(logTimeNs),
      publishTimeNs: String(publishTimeNs),
      sequence,
      encoding: channel.messageEncoding,
      schema: channel.schema?.name ?? '',
      sizeBytes: data.length,
    };
    const head = Buffer.from(data.subarray(0, HEAD_BYTES)).toString('base64');
    if (decode === undefined) return { ...common, head };
    try {
      return { ...common, value: decode(data) };
    } catch (cause) {
      return { ...common, head, problem: cause instanceof Error ? cause.message : String(cause) };
    }
  }
}

/** JSON of any decoded value: what JSON has no form for becomes text, bytes become base64. */
export function toPlainJson(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) => plain(entry));
}

function plain(entry: unknown): unknown {
  if (typeof entry === 'bigint') return String(entry);
  if (typeof entry === 'number' && !Number.isFinite(entry)) return String(entry);
  if (entry instanceof Uint8Array) return Buffer.from(entry).toString('base64');
  // A Buffer comes here as what its own toJSON made of it.
  return entry;
}

export function catText(line: CatLine): string {
  const shown =
    line.value === undefined ? `${line.head ?? ''} (${line.problem ?? 'not decoded'})` : shortText(line.value);
  return `${line.logTimeNs}  ${line.topic}  ${shown}`;
}

function shortText(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) => {
    if (entry instanceof Uint8Array) return `${entry.length} bytes`;
    if (Array.isArray(entry) && entry.length > ARRAY_SHOWN_MAX)
      return [...entry.slice(0, ARRAY_SHOWN_MAX), `… ${entry.length - ARRAY_SHOWN_MAX} more`].map(plain);
    return plain(entry);
  });
}
