/**
 * A mapping file says what the columns, arrays, fields or CAN signals of a source are: which VSS path, in which unit, on which topic.
 * JSON, strict: an unknown key is refused. Values are converted into the unit of the VSS catalogue (or of the overlay).
 *
 * Common keys
 *   format      "csv", "parquet", "npy", "candump", "mcap" or "ulog". The last three describe themselves: they can be read without a
 *               mapping, and a mapping adds signals to what they hold.
 *   session     name: the drive session; attributes: free texts (place, terrain, firmware, mounting…). Both may hold `{folder}`
 *               (name of the folder that the source lies in), `{file}` (its name without ending) and the names in braces of
 *               `files[].name` / `folderName` / `fileName`.
 *   time        kind: iso8601 | seconds | milliseconds | microseconds | nanoseconds, or for zone-less local time local8601
 *               (2019-05-24T18:11:23.018, the T may be a space) | localDayMonth (24-May-2019 18:11:23.018); epoch: ISO start to which
 *               relative stamps are added (without it, numbers count from the Unix epoch); clock: which clock wrote the stamps,
 *               {kind: utc | gps | tai | boot | local, …} as in `time/source-clock.ts` (local needs zone: "America/Chicago" or
 *               "+02:00"; default utc). Stamps are converted to UTC; boot time counts from `epoch`, when the device started.
 *   channels    topic: `/vss/<branch>` or `/sensor/<position>/<kind>`; rateHz: nominal rate, if the source has one; signals.
 *   signals     path: VSS or overlay path; unit: unit of the source; scale, offset: applied to the source's number before the
 *               unit is converted (an axis that is mounted the other way round has scale -1).
 *
 * format "csv"
 *   files       one entry per file of a session; name: file name with `{word}` parts, e.g. `imu_{run}.csv`. The file given as the
 *               source fills the words, the others are sought beside it; `.zst` behind a name is understood. Messages of all
 *               files come in order of time. Each has role, time {column, kind, epoch, clock}, missing (texts that mean "no value",
 *               default the empty cell), isPadded (numbers are filled up with spaces), channels with signals that name a column.
 *
 *               keyed {separator ";", parts ":"}: there is no header, and each line is `stamp;key;value` or `stamp;key;part:part:…`. A
 *               signal's column is then the key, or `key:1` for the second part; the signals of a channel share one key. Lines of
 *               other keys, and up to 64 lines in front of the first stamp, are left out.
 *
 * format "parquet"
 *   files       as for "csv" without `missing` and `isPadded` (a null is no value); time.kind may be "timestamp" for a TIMESTAMP column. Columns are
 *               flat: numbers and booleans for signals, numbers, texts or TIMESTAMP for the time.
 *
 * format "npy"
 *   folderName  name of the folder given as the source, with `{word}` parts.
 *   arrays      time, values: array names below that folder without ending; channels with signals that name a column (from 0).
 *   can         time, bus, address, data: arrays of raw frames; topic with `{bus}`, every frame goes there; buses: the bus numbers to
 *               expect (a frame of another bus is kept too, on a channel that shows up with it); lostTrailingZeros:
 *               the source cut zero bytes off the end, so frames of known ids are filled up to their DBC length; databases: DBC
 *               files (relative to the mapping) and the buses they hold for; channels with bus, message and signals that name
 *               one signal or several to be added up.
 *
 * format "candump" (candump -L and -l, or its plain output with absolute stamps)
 *   interfaces  interface name to bus number; an interface that is not named gets the number at the end of its name (can1 is bus 1).
 *   topic, databases, channels   as in `can` of "npy".
 *
 * format "mcap", "ulog"
 *   channels    from: topic of the file (ULog: message name, with `/1` for a further instance); signals that name a field: a dotted
 *               path into the JSON or ROS 2 message or the ULog structure, `a.b` or `a.0` or `a[0]`. The messages themselves stay beside the
 *               signals as they are.
 *   session     may be left out: then the recording's own metadata, or the name of the file, names the session.
 */
import { FleetError } from '../errors/fleet-error.ts';
import { findSignal } from '../vss/catalogue.ts';
import { unitConversion } from '../vss/units.ts';
import { type Mapping, mappingSchema } from './mapping-formats.ts';

export type { Mapping } from './mapping-formats.ts';

/**
 * Checks a mapping and fills defaults.
 * @throws FleetError `MAPPING_INVALID` naming each wrong key, `UNIT_UNKNOWN` for a unit that does not fit its path.
 */
export function parseMapping(value: unknown): Mapping {
  const parsed = mappingSchema.safeParse(value);
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
  if (parsed.format === 'csv' || parsed.format === 'parquet')
    return parsed.files.flatMap((file): readonly AnyChannel[] => file.channels);
  if (parsed.format !== 'npy') return parsed.channels;
  return [...parsed.arrays.flatMap((array): readonly AnyChannel[] => array.channels), ...(parsed.can?.channels ?? [])];
}

/** A path on two channels would make "the last value of a signal" ambiguous for triggers and features. */
function refuseRepeats(what: string, names: readonly string[]): void {
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined)
    throw new FleetError('MAPPING_INVALID', `the mapping is refused: ${what} ${repeated} is used twice`);
}
