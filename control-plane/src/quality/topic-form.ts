/**
 * Why: software changes what it sends, and whatever reads it finds out too late. The form of a topic is what a reader must know of
 * it: encoding, schema, fields with types and units, and about how often it comes. It is what recordings are compared by.
 */
import type { OpaqueChannel, SignalChannel } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { type ChannelDecoder, isNumberWord, makeChannelDecoder } from './field-reader.ts';
import { bindField } from './signal-binding.ts';
import type { Standard } from './standard.ts';

/** Topics whose forms are kept of one recording, fields of one topic, and fields of all of them. */
export const FORM_TOPICS_MAX = 256;
export const FORM_FIELDS_MAX = 128;
export const FORM_FIELDS_TOTAL_MAX = 1_024;
/** Longest name that is kept: a longer one of a field is cut, a topic with a longer one left out. */
const NAME_CHARACTERS_MAX = 256;
/** The first messages of a topic are looked at, then each whose number is a power of two: optional fields come late. */
const FIRST_SAMPLES = 16;
const DEPTH_MAX = 6;
/** Elements of a list that are looked at; all of them are one field. */
const ELEMENTS_MAX = 4;

/** `type` is empty where nothing but null was seen. */
export type FieldForm = { readonly name: string; readonly type: string; readonly unit: string };

/** What a topic looked like in one recording. */
export type TopicForm = {
  readonly topic: string;
  /** `signals`, or the message encoding of a foreign channel. */
  readonly encoding: string;
  readonly schemaName: string;
  /** Digest of the schema that the channel carries; null where it carries none. */
  readonly schema: string | null;
  /** In the order of their names. */
  readonly fields: readonly FieldForm[];
  /** Whether these are the fields by declaration; otherwise they are those seen in `sampled` messages. */
  readonly isDeclared: boolean;
  readonly sampled: number;
  /** There were more fields than are kept: nothing is said of single ones. */
  readonly isCut: boolean;
  /** Middle rate of a topic that comes regularly. */
  readonly rateHz: number | null;
};

/** The form of a channel of signals: VSS paths are what readers know them by. */
export function signalForm(topic: string, channels: ReadonlySet<SignalChannel>): Omit<TopicForm, 'rateHz'> {
  const fields = [...channels].flatMap(({ signals }) =>
    signals.map(({ path, unit }) => ({ name: clip(path), type: 'double', unit })),
  );
  const named = { topic, encoding: 'signals', schemaName: '', schema: null };
  return { ...named, ...bounded(fields), isDeclared: true, sampled: 0 };
}

/** Watches one foreign channel. Its work does not grow with the recording, but with the logarithm of its messages. */
export class FormSampler {
  readonly #channel: OpaqueChannel;
  readonly #decode: ChannelDecoder | undefined;
  readonly #types = new Map<string, string>();
  #seen = 0;
  #sampled = 0;

  constructor(channel: OpaqueChannel) {
    this.#channel = channel;
    this.#decode = makeChannelDecoder(channel);
  }

  push(data: Uint8Array): void {
    this.#seen += 1;
    if (this.#decode === undefined) return;
    if (this.#seen > FIRST_SAMPLES && (this.#seen & (this.#seen - 1)) !== 0) return;
    const value = this.#decode(data);
    if (value === undefined) return;
    this.#sampled += 1;
    this.#note(value, '', 0);
  }

  /** `standard` knows the units that the names of fields stand for. */
  form(standard: Standard): Omit<TopicForm, 'rateHz'> {
    const { topic, schemaName, encoding } = this.#channel;
    const fields = [...this.#types].map(([name, type]) => {
      const origin = { topic, schemaName, sample: Number.NaN };
      return { name, type, unit: bindField(origin, name.replaceAll('[]', '.0'), standard).unit };
    });
    const schema = encoding?.schemaData.length ? digestOfBytes(encoding.schemaData) : null;
    return {
      topic,
      encoding: clip(encoding?.messageEncoding ?? 'protobuf'),
      schemaName: clip(schemaName),
      schema,
      ...bounded(fields),
      isDeclared: false,
      sampled: this.#sampled,
    };
  }

  #note(value: unknown, name: string, depth: number): void {
    if (depth > DEPTH_MAX || this.#types.size > FORM_FIELDS_MAX) return;
    if (Array.isArray(value)) {
      for (const element of value.slice(0, ELEMENTS_MAX)) this.#note(element, `${name}[]`, depth + 1);
    } else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
      for (const [key, entry] of Object.entries(value))
        this.#note(entry, name === '' ? partOf(key) : `${name}.${partOf(key)}`, depth + 1);
    } else if ((this.#types.get(clip(name)) ?? '') === '') this.#types.set(clip(name), typeOf(value));
  }
}

/** The same forms whatever the order of the file; what is beyond the limits is left out, and counted. */
export function boundedForms(forms: readonly TopicForm[]): {
  readonly topics: readonly TopicForm[];
  readonly omitted: number;
} {
  const topics: TopicForm[] = [];
  let room = FORM_FIELDS_TOTAL_MAX;
  for (const form of forms.toSorted((a, b) => order(a.topic, b.topic))) {
    // A name that was cut could be that of two topics.
    const isTooLong = form.topic.length > NAME_CHARACTERS_MAX;
    if (isTooLong || topics.length === FORM_TOPICS_MAX || form.fields.length > room) continue;
    room -= form.fields.length;
    topics.push(form);
  }
  return { topics, omitted: forms.length - topics.length };
}

function bounded(fields: readonly FieldForm[]): Pick<TopicForm, 'fields' | 'isCut'> {
  const sorted = [...new Map(fields.map((field) => [field.name, field])).values()].toSorted((a, b) =>
    order(a.name, b.name),
  );
  return { fields: sorted.slice(0, FORM_FIELDS_MAX), isCut: sorted.length > FORM_FIELDS_MAX };
}

/** A map by number or id is one field, not one for each of its keys. */
function partOf(key: string): string {
  return /^\d+$/.test(key) ? '*' : key;
}

function typeOf(value: unknown): string {
  // A number that is none may be of any type.
  if (value === null || value === undefined || isNumberWord(value)) return '';
  if (typeof value === 'bigint') return 'integer64';
  if (typeof value === 'boolean') return 'flag';
  if (typeof value === 'string') return 'text';
  return typeof value === 'number' ? 'number' : 'bytes';
}

function clip(name: string): string {
  return name.slice(0, NAME_CHARACTERS_MAX);
}

function order(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}
