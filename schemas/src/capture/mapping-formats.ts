/** The shape of a mapping file, format by format; `mapping.ts` says what the keys mean. */
import { z } from 'zod';
import { SourceClockDeclaration } from '../time/source-clock.ts';
import { findSignal } from '../vss/catalogue.ts';
import { isSignalTopic } from '../vss/topic.ts';
import { isUnitName } from '../vss/units.ts';
import { parseIsoNs, TIME_KINDS } from './time-parser.ts';

const CHANNELS_MAX = 64;
const SIGNALS_MAX = 64;
const FILES_MAX = 16;
const BUS_MAX = 255;

const text = z.string().min(1).max(256);
const finite = z.number();
const epoch = text.refine((value) => parseIsoNs(value) !== undefined, 'is not an ISO 8601 time with zone');
const time = { kind: z.enum(TIME_KINDS), epoch: epoch.optional(), clock: SourceClockDeclaration.optional() };
const signalKeys = {
  path: text.refine((path) => findSignal(path) !== undefined, 'is neither in the VSS catalogue nor in the overlay'),
  unit: z.string().refine(isUnitName, 'is not a known unit'),
  scale: finite.default(1),
  offset: finite.default(0),
};
const channelKeys = {
  topic: text.refine(isSignalTopic, 'is neither /vss/<branch> nor /sensor/<position>/<kind>'),
  rateHz: z.number().positive().max(100_000).optional(),
};
const signals = <T extends z.ZodType>(signal: T) => z.array(signal).min(1).max(SIGNALS_MAX);
const bus = z.number().int().min(0).max(BUS_MAX);

const session = z.strictObject({ name: text, attributes: z.record(text, text).default({}) });
const columnSignal = z.strictObject({ ...signalKeys, column: text });
const fieldSignal = z.strictObject({ ...signalKeys, field: text });
const indexSignal = z.strictObject({ ...signalKeys, column: z.number().int().nonnegative().max(4096) });
const canSignal = z.strictObject({ ...signalKeys, signal: z.union([text, z.array(text).min(1).max(8)]) });
const columnChannel = z.strictObject({ ...channelKeys, signals: signals(columnSignal) });
const missing = z.array(z.string().max(64)).max(16).default(['']);

const tableFile = {
  name: text,
  role: text.optional(),
  time: z.strictObject({ column: text, ...time }),
  channels: z.array(columnChannel).min(1).max(CHANNELS_MAX),
};
const oneCharacter = z.string().length(1);
const keyed = z
  .strictObject({ separator: oneCharacter.default(';'), parts: oneCharacter.default(':') })
  .refine(({ separator, parts }) => separator !== parts, 'separator and parts must differ');
const csvFile = z.strictObject({
  ...tableFile,
  missing,
  isPadded: z.boolean().default(false),
  keyed: keyed.optional(),
});
const csvMapping = z.strictObject({ format: z.literal('csv'), session, files: z.array(csvFile).min(1).max(FILES_MAX) });

const parquetFile = z.strictObject({
  ...tableFile,
  time: z.strictObject({ column: text, ...time, kind: z.enum([...TIME_KINDS, 'timestamp']) }),
});
const parquetMapping = z.strictObject({
  format: z.literal('parquet'),
  session,
  files: z.array(parquetFile).min(1).max(FILES_MAX),
});

const npyArray = z.strictObject({
  time: text,
  values: text,
  channels: z
    .array(z.strictObject({ ...channelKeys, signals: signals(indexSignal) }))
    .min(1)
    .max(CHANNELS_MAX),
});
const canChannel = z.strictObject({ ...channelKeys, bus, message: text, signals: signals(canSignal) });
const canKeys = {
  topic: text.regex(/^\/can\/\{bus\}\/raw$/, 'must be /can/{bus}/raw').default('/can/{bus}/raw'),
  databases: z.array(z.strictObject({ file: text, buses: z.array(bus).min(1) })).max(16),
  channels: z.array(canChannel).max(CHANNELS_MAX),
};
const can = z.strictObject({
  ...canKeys,
  time: text,
  bus: text,
  address: text,
  data: text,
  buses: z
    .array(bus)
    .min(1)
    .max(BUS_MAX + 1),
  lostTrailingZeros: z.boolean().default(false),
});
const npyMapping = z.strictObject({
  format: z.literal('npy'),
  session,
  folderName: text,
  time: z.strictObject(time),
  arrays: z.array(npyArray).max(CHANNELS_MAX),
  can: can.optional(),
});

const candumpMapping = z.strictObject({
  format: z.literal('candump'),
  session,
  fileName: text.optional(),
  time: z.strictObject({ epoch: epoch.optional(), clock: SourceClockDeclaration.optional() }).default({}),
  interfaces: z.record(text, bus).default({}),
  ...canKeys,
});

const messageChannel = z.strictObject({ ...channelKeys, from: text, signals: signals(fieldSignal) });
const mcapMapping = z.strictObject({
  format: z.literal('mcap'),
  session: session.optional(),
  fileName: text.optional(),
  time: z.strictObject({ epoch: epoch.optional(), clock: SourceClockDeclaration.optional() }).default({}),
  channels: z.array(messageChannel).max(CHANNELS_MAX),
});
const ulogMapping = z.strictObject({
  format: z.literal('ulog'),
  session: session.optional(),
  fileName: text.optional(),
  time: z.strictObject({ epoch: epoch.optional(), clock: SourceClockDeclaration.optional() }).default({}),
  channels: z.array(messageChannel).max(CHANNELS_MAX),
});

export type ClockMapping = SourceClockDeclaration;
export type SessionMapping = z.infer<typeof session>;
export type CsvMapping = z.infer<typeof csvMapping>;
export type CsvFileMapping = z.infer<typeof csvFile>;
export type ColumnChannelMapping = z.infer<typeof columnChannel>;
export type ParquetMapping = z.infer<typeof parquetMapping>;
export type ParquetFileMapping = z.infer<typeof parquetFile>;
export type NpyMapping = z.infer<typeof npyMapping>;
export type NpyArrayMapping = z.infer<typeof npyArray>;
export type NpyCanMapping = z.infer<typeof can>;
export type CanChannelMapping = z.infer<typeof canChannel>;
/** What the CAN sections of all formats share. */
export type CanMapping = Pick<NpyCanMapping, 'topic' | 'databases' | 'channels'>;
export type CandumpMapping = z.infer<typeof candumpMapping>;
export type MessageChannelMapping = z.infer<typeof messageChannel>;
export type McapMapping = z.infer<typeof mcapMapping>;
export type UlogMapping = z.infer<typeof ulogMapping>;
export type Mapping = CsvMapping | ParquetMapping | NpyMapping | CandumpMapping | McapMapping | UlogMapping;

export const mappingSchema = z.discriminatedUnion('format', [
  csvMapping,
  parquetMapping,
  npyMapping,
  candumpMapping,
  mcapMapping,
  ulogMapping,
]);
