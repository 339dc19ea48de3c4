/**
 * A mapping file says what the columns, arrays or CAN signals of a source are: which VSS path, in which unit, on which topic.
 * JSON, strict: an unknown key is refused. Values are converted into the unit of the VSS catalogue (or of the overlay).
 *
 * Common keys
 *   format      "csv" or "npy".
 *   session     name: the drive session; attributes: free texts (place, terrain, firmware, mounting…). Both may hold `{folder}`
 *               (name of the folder that the source lies in) and the names in braces of `files[].name` / `folderName`.
 *   time        kind: iso8601 | seconds | milliseconds | nanoseconds; epoch: ISO start to which relative stamps are added
 *               (without it, numbers count from the Unix epoch).
 *   channels    topic: `/vss/<branch>` or `/sensor/<position>/<kind>`; rateHz: nominal rate, if the source has one; signals.
 *   signals     path: VSS or overlay path; unit: unit of the source; scale, offset: applied to the source's number before the
 *               unit is converted (an axis that is mounted the other way round has scale -1).
 *
 * format "csv"
 *   files       one entry per file of a session; name: file name with `{word}` parts, e.g. `imu_{run}.csv`. The file given as the
 *               source fills the words, the others are sought beside it; `.zst` behind a name is understood. Messages of all
 *               files come in order of time. Each has role, time {column, kind, epoch}, missing (texts that mean "no value",
 *               default the empty cell), channels with signals that name a column.
 *
 * format "npy"
 *   folderName  name of the folder given as the source, with `{word}` parts.
 *   arrays      time, values: array names below that folder without ending; channels with signals that name a column (from 0).
 *   can         time, bus, address, data: arrays of raw frames; topic with `{bus}`, every frame goes there; buses: the bus numbers to
 *               expect (a frame of another bus is kept too, on a channel that shows up with it); lostTrailingZeros:
 *               the source cut zero bytes off the end, so frames of known ids are filled up to their DBC length; databases: DBC
 *               files (relative to the mapping) and the buses they hold for; channels with bus, message and signals that name
 *               one signal or several to be added up.
 */
import { FleetError } from '../errors/fleet-error.ts';
import { findSignal } from '../vss/catalogue.ts';
import { isSignalTopic } from '../vss/topic.ts';
import { isUnitName, unitConversion } from '../vss/units.ts';
import { z } from 'zod';
import { parseIsoNs, TIME_KINDS } from './time-parser.ts';

const CHANNELS_MAX = 64;
const SIGNALS_MAX = 64;
const FILES_MAX = 16;

const text = z.string().min(1).max(256);
const finite = z.number();
const epoch = text.refine((value) => parseIsoNs(value) !== undefined, 'is not an ISO 8601 time with zone');
const time = { kind: z.enum(TIME_KINDS), epoch: epoch.optional() };
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

const session = z.strictObject({ name: text, attributes: z.record(text, text).default({}) });
const columnSignal = z.strictObject({ ...signalKeys, column: text });
const indexSignal = z.strictObject({ ...signalKeys, column: z.number().int().nonnegative().max(4096) });
const canSignal = z.strictObject({ ...signalKeys, signal: z.union([text, z.array(text).min(1).max(8)]) });
const csvChannel = z.strictObject({ ...channelKeys, signals: signals(columnSignal) });
const csvFile = z.strictObject({
  name: text,
  role: text.optional(),
  time: z.strictObject({ column: text, ...time }),
  missing: z.array(z.string().max(64)).max(16).default(['']),
  channels: z.array(csvChannel).min(1).max(CHANNELS_MAX),
});
const csvMapping = z.strictObject({ format: z.literal('csv'), session, files: z.array(csvFile).min(1).max(FILES_MAX) });

const npyArray = z.strictObject({
  time: text,
  values: text,
  channels: z
    .array(z.strictObject({ ...channelKeys, signals: signals(indexSignal) }))
    .min(1)
    .max(CHANNELS_MAX),
});
const canChannel = z.strictObject({
  ...channelKeys,
  bus: z.number().int().min(0).max(255),
  message: text,
  signals: signals(canSignal),
});
const can = z.strictObject({
  time: text,
  bus: text,
  address: text,
  data: text,
  topic: text.regex(/^\/can\/\{bus\}\/raw$/, 'must be /can/{bus}/raw'),
  buses: z.array(z.number().int().min(0).max(255)).min(1).max(256),
  lostTrailingZeros: z.boolean().default(false),
  databases: z.array(z.strictObject({ file: text, buses: z.array(z.number().int().min(0).max(255)).min(1) })).max(16),
  channels: z.array(canChannel).max(CHANNELS_MAX),
});
const npyMapping = z.strictObject({
  format: z.literal('npy'),
  session,
  folderName: text,
  time: z.strictObject(time),
  arrays: z.array(npyArray).max(CHANNELS_MAX),
  can: can.optional(),
});

export type CsvMapping = z.infer<typeof csvMapping>;
export type CsvFileMapping = z.infer<typeof csvFile>;
export type CsvChannelMapping = z.infer<typeof csvChannel>;
export type NpyMapping = z.infer<typeof npyMapping>;
export type NpyArrayMapping = z.infer<typeof npyArray>;
export type CanMapping = z.infer<typeof can>;
export type CanChannelMapping = z.infer<typeof canChannel>;
export type Mapping = CsvMapping | NpyMapping;

const mapping = z.discriminatedUnion('format', [csvMapping, npyMapping]);

/**
 * Checks a mapping and fills defaults.
 * @throws FleetError `MAPPING_INVALID` naming each wrong key, `UNIT_UNKNOWN` for a unit that does not fit its path.
 */
export function parseMapping(value: unknown): Mapping {
  const parsed = mapping.safeParse(value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'mapping'}: ${issue.message}`);
    throw new FleetError('MAPPING_INVALID', `the mapping is refused: ${problems.join('; ')}`);
  }
  const channels = channelsOf(parsed.data);
  for (const signal of channels.flatMap((channel) => channel.signals))
    unitConversion(signal.unit, catalogueUnit(signal.path));
  refuseRepeats(
    'topic',
    channels.map((channel) => channel.topic),
  );
  refuseRepeats(
    'path',
    channels.flatMap((channel) => channel.signals.map((signal) => signal.path)),
  );
  return parsed.data;
}

/** The unit of a path that a mapping names. */
export function catalogueUnit(path: string): string {
  const signal = findSignal(path);
  if (signal === undefined)
    throw new FleetError('SIGNAL_UNKNOWN', `${path} is neither in the VSS catalogue nor in the overlay`);
  return signal.unit;
}

type AnyChannel = {
  readonly topic: string;
  readonly signals: readonly { readonly path: string; readonly unit: string }[];
};

function channelsOf(parsed: Mapping): readonly AnyChannel[] {
  if (parsed.format === 'csv') return parsed.files.flatMap((file): readonly AnyChannel[] => file.channels);
  return [...parsed.arrays.flatMap((array): readonly AnyChannel[] => array.channels), ...(parsed.can?.channels ?? [])];
}

/** A path on two channels would make "the last value of a signal" ambiguous for triggers and features. */
function refuseRepeats(what: string, names: readonly string[]): void {
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined)
    throw new FleetError('MAPPING_INVALID', `the mapping is refused: ${what} ${repeated} is used twice`);
}
