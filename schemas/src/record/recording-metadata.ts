/** The metadata records that each recording carries, typed on our side and string maps in MCAP. */
import { z } from 'zod';
import { PRIORITIES } from '../campaign/campaign.ts';
import { FleetError } from '../errors/fleet-error.ts';
import { Circumstances } from './circumstances.ts';

const nsText = z.string().regex(/^\d{1,20}$/);

export const TriggerRecord = z.strictObject({ campaign: z.string(), timeNs: nsText });
export type TriggerRecord = z.infer<typeof TriggerRecord>;
export const GapRecord = z.strictObject({ topic: z.string(), fromNs: nsText, toNs: nsText });
export type GapRecord = z.infer<typeof GapRecord>;

const signedNsText = z.string().regex(/^-?\d{1,20}$/);

/** One reading of two clocks at the same moment, so that a recording can be put on another time later. */
const ClockSample = z.strictObject({
  /** Monotonic clock of the vehicle, ns since boot. */
  monotonicNs: nsText,
  wallNs: nsText,
  /** What disciplines the wall clock: `ntp`, `ptp`, `gps`, `system`. */
  source: z.string().max(64),
  uncertaintyNs: nsText,
});

/** How the stamps of a source with its own clock were converted: utc = stamp + offsetNs. */
const SourceClockRecord = z.strictObject({
  topic: z.string(),
  kind: z.enum(['utc', 'gps', 'boot', 'local', 'tai']),
  offsetNs: signedNsText,
  uncertaintyNs: nsText,
});

export const CLOCK_SAMPLES_PER_RECORDING_MAX = 256;
const RecordingClock = z.strictObject({
  source: z.string(),
  uncertaintyNs: nsText,
  samples: z.array(ClockSample).max(CLOCK_SAMPLES_PER_RECORDING_MAX).optional(),
  /** Steps of the wall clock that were seen in the session; they changed no decision. */
  steps: z
    .array(z.strictObject({ atNs: nsText, byNs: signedNsText }))
    .max(CLOCK_SAMPLES_PER_RECORDING_MAX)
    .optional(),
  sources: z.array(SourceClockRecord).max(256).optional(),
});
export type RecordingClock = z.infer<typeof RecordingClock>;

/** What was noticed of one channel inside the recording. Fields that are absent found nothing. */
export const ChannelQuality = z.strictObject({
  topic: z.string(),
  expectedRateHz: z.number().optional(),
  measuredRateHz: z.number().optional(),
  duplicates: z.int().min(0).optional(),
  outOfOrder: z.int().min(0).optional(),
  /** Values that stood still while they should not; `path` is absent for an opaque channel. */
  frozen: z
    .array(z.strictObject({ path: z.string().optional(), fromNs: nsText, toNs: nsText }))
    .max(64)
    .optional(),
});
export type ChannelQuality = z.infer<typeof ChannelQuality>;

/** Two channels that measure one quantity: by how much the second lags behind the first. */
export const AlignmentRecord = z.strictObject({
  quantity: z.string(),
  first: z.string(),
  second: z.string(),
  lagNs: signedNsText,
  uncertaintyNs: nsText,
  correlation: z.number(),
});
export type AlignmentRecord = z.infer<typeof AlignmentRecord>;

/** A redaction rule that was applied before anything was written. */
export const RedactionRecord = z.strictObject({
  rule: z.string(),
  kind: z.enum(['drop', 'round', 'hash', 'blank']),
  topic: z.string(),
  messages: z.int().min(0),
});
export type RedactionRecord = z.infer<typeof RedactionRecord>;

/** The memory of the ring or its disk was full, or the power went. */
export const RECORDING_CUTS = ['memory', 'disk', 'power-loss'] as const;
export type RecordingCut = (typeof RECORDING_CUTS)[number];

/** What a recording says about itself. Times are ns on the session's clock, as decimal strings where they travel as JSON. */
export const RecordingMetadata = z.strictObject({
  vehicle: z.strictObject({ id: z.string(), hardwareRevision: z.string() }),
  software: z.strictObject({ name: z.string(), version: z.string() }),
  /** The drive session and whatever the source declares of it (place, weather, firmware, mounting). */
  session: z.strictObject({ name: z.string().min(1), attributes: z.record(z.string(), z.string()) }),
  /** Which clock stamped the messages and how far it may be off. */
  clock: RecordingClock,
  /** Absent for imported whole runs. */
  event: z
    .strictObject({
      id: z.string(),
      startNs: nsText,
      endNs: nsText,
      triggers: z.array(TriggerRecord),
      campaigns: z.array(z.string()),
      /** Highest of its campaigns; kept in the file so that a vehicle that lost its index still sends what matters first. */
      priority: z.enum(PRIORITIES).optional(),
      /** Id of the event whose continuation this is: a chain of merged windows over its maximum is cut into several recordings. */
      continues: z.string().optional(),
      /** Why the recording ends before its window does; absent when it does not. What was captured behind it continues it. */
      cut: z.enum(RECORDING_CUTS).optional(),
    })
    .optional(),
  gaps: z.array(GapRecord),
  /** Messages known to be lost, per topic. */
  loss: z.record(z.string(), z.int().min(0)),
  quality: z.array(ChannelQuality).max(4_096).optional(),
  alignment: z.array(AlignmentRecord).max(64).optional(),
  redactions: z.array(RedactionRecord).max(256).optional(),
  /** Latched messages that stand at the recording's start though they came before it, with their own time. */
  context: z
    .array(z.strictObject({ topic: z.string(), timeNs: nsText }))
    .max(4_096)
    .optional(),
  /** Topics that were thinned out, and to which rate. */
  decimation: z
    .array(z.strictObject({ topic: z.string(), rateHzMax: z.number() }))
    .max(256)
    .optional(),
  /** Weather, place, software on board, permissions, and the generator of a synthetic recording, as far as they were declared. */
  circumstances: Circumstances.optional(),
  /** The request for a stored time range that this recording answers. */
  pull: z.string().max(64).optional(),
  /** Labels are never in here: they are facts of the ledger. */
  brief: z.string().optional(),
});
export type RecordingMetadata = z.infer<typeof RecordingMetadata>;

export type McapMetadataRecord = { readonly name: string; readonly metadata: ReadonlyMap<string, string> };

/** Optional parts that travel as JSON, one metadata record each. */
const JSON_RECORDS = [
  ['fleet.quality', 'quality'],
  ['fleet.alignment', 'alignment'],
  ['fleet.redaction', 'redactions'],
  ['fleet.context', 'context'],
  ['fleet.decimation', 'decimation'],
  ['fleet.circumstances', 'circumstances'],
] as const;

function clockEntries({ source, uncertaintyNs, samples, steps, sources }: RecordingClock): Record<string, string> {
  return {
    source,
    uncertaintyNs,
    ...(samples === undefined ? {} : { samples: JSON.stringify(samples) }),
    ...(steps === undefined ? {} : { steps: JSON.stringify(steps) }),
    ...(sources === undefined ? {} : { sources: JSON.stringify(sources) }),
  };
}

/** The MCAP metadata records of `metadata`, in a fixed order so that equal recordings have equal bytes. */
export function toMetadataRecords(metadata: RecordingMetadata): McapMetadataRecord[] {
  const record = (name: string, entries: Record<string, string>): McapMetadataRecord => ({
    name,
    metadata: new Map(Object.entries(entries)),
  });
  const records = [
    record('fleet.vehicle', { id: metadata.vehicle.id, hardwareRevision: metadata.vehicle.hardwareRevision }),
    record('fleet.software', { name: metadata.software.name, version: metadata.software.version }),
    record('fleet.session', { name: metadata.session.name, attributes: JSON.stringify(metadata.session.attributes) }),
    record('fleet.clock', clockEntries(metadata.clock)),
    record('fleet.gap', { gaps: JSON.stringify(metadata.gaps) }),
    record('fleet.loss', { loss: JSON.stringify(metadata.loss) }),
  ];
  for (const [name, key] of JSON_RECORDS) {
    const part = metadata[key];
    if (part !== undefined) records.push(record(name, { [key]: JSON.stringify(part) }));
  }
  if (metadata.pull !== undefined) records.push(record('fleet.pull', { id: metadata.pull }));
  if (metadata.brief !== undefined) records.push(record('fleet.brief', { id: metadata.brief }));
  if (metadata.event !== undefined) {
    const { id, startNs, endNs, triggers, campaigns, priority, continues, cut } = metadata.event;
    const entries = { id, startNs, endNs, triggers: JSON.stringify(triggers), campaigns: JSON.stringify(campaigns) };
    const optional = {
      ...(priority === undefined ? {} : { priority }),
      ...(continues === undefined ? {} : { continues }),
      ...(cut === undefined ? {} : { cut }),
    };
    records.push(record('fleet.event', { ...entries, ...optional }));
  }
  // Foxglove's own tools make an upload idempotent by this record (docs: "foxglove" metadata, deviceId and key).
  const key = metadata.event?.id ?? metadata.session.name;
  records.push(record('foxglove', { deviceId: metadata.vehicle.id, key }));
  return records;
}

/**
 * Reads the typed metadata back from the records of a file.
 * @throws FleetError INGEST_METADATA_MISSING naming the record or field that is absent or wrong
 */
export function fromMetadataRecords(records: readonly McapMetadataRecord[]): RecordingMetadata {
  const find = (name: string): ReadonlyMap<string, string> | undefined =>
    records.find((record) => record.name === name)?.metadata;
  const need = (name: string): ReadonlyMap<string, string> => {
    const found = find(name);
    if (found === undefined)
      throw new FleetError(
        'INGEST_METADATA_MISSING',
        `the recording has no metadata record ${name}: it was not written by a fleetloop agent or import`,
      );
    return found;
  };
  const session = need('fleet.session');
  const event = find('fleet.event');
  const brief = find('fleet.brief')?.get('id');
  const pull = find('fleet.pull')?.get('id');
  const parts = JSON_RECORDS.flatMap(([name, key]) => {
    const text = find(name)?.get(key);
    return text === undefined ? [] : [[key, parseJson(name, text)]];
  });
  const candidate = {
    vehicle: Object.fromEntries(need('fleet.vehicle')),
    software: Object.fromEntries(need('fleet.software')),
    session: { name: session.get('name'), attributes: parseJson('fleet.session', session.get('attributes')) },
    clock: parseClock(need('fleet.clock')),
    ...Object.fromEntries(parts),
    ...(pull === undefined ? {} : { pull }),
    gaps: parseJson('fleet.gap', need('fleet.gap').get('gaps')),
    loss: parseJson('fleet.loss', need('fleet.loss').get('loss')),
    ...(brief === undefined ? {} : { brief }),
    ...(event === undefined
      ? {}
      : {
          event: {
            ...Object.fromEntries(event),
            triggers: parseJson('fleet.event', event.get('triggers')),
            campaigns: parseJson('fleet.event', event.get('campaigns')),
          },
        }),
  };
  const parsed = RecordingMetadata.safeParse(candidate);
  if (parsed.success) return parsed.data;
  throw new FleetError(
    'INGEST_METADATA_MISSING',
    `the recording's metadata is not valid: ${z.prettifyError(parsed.error)}`,
  );
}

function parseClock(entries: ReadonlyMap<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    [...entries].map(([key, text]) => [
      key,
      key === 'source' || key === 'uncertaintyNs' ? text : parseJson('fleet.clock', text),
    ]),
  );
}

function parseJson(name: string, text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch (cause) {
    throw new FleetError('INGEST_METADATA_MISSING', `the metadata record ${name} does not hold JSON`, { cause });
  }
}
