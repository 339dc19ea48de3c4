/** The metadata records that each recording carries, typed on our side and string maps in MCAP. */
import { z } from 'zod';
import { FleetError } from '../errors/fleet-error.ts';

const nsText = z.string().regex(/^\d{1,20}$/);

export const TriggerRecord = z.strictObject({ campaign: z.string(), timeNs: nsText });
export type TriggerRecord = z.infer<typeof TriggerRecord>;
export const GapRecord = z.strictObject({ topic: z.string(), fromNs: nsText, toNs: nsText });
export type GapRecord = z.infer<typeof GapRecord>;

/** What a recording says about itself. Times are ns on the session's clock, as decimal strings where they travel as JSON. */
export const RecordingMetadata = z.strictObject({
  vehicle: z.strictObject({ id: z.string(), hardwareRevision: z.string() }),
  software: z.strictObject({ name: z.string(), version: z.string() }),
  /** The drive session and whatever the source declares of it (place, weather, firmware, mounting). */
  session: z.strictObject({ name: z.string().min(1), attributes: z.record(z.string(), z.string()) }),
  /** Which clock stamped the messages and how far it may be off. */
  clock: z.strictObject({ source: z.string(), uncertaintyNs: nsText }),
  /** Absent for imported whole runs. */
  event: z
    .strictObject({
      id: z.string(),
      startNs: nsText,
      endNs: nsText,
      triggers: z.array(TriggerRecord),
      campaigns: z.array(z.string()),
      /** Id of the event whose continuation this is: a chain of merged windows over its maximum is cut into several recordings. */
      continues: z.string().optional(),
    })
    .optional(),
  gaps: z.array(GapRecord),
  /** Messages known to be lost, per topic. */
  loss: z.record(z.string(), z.int().min(0)),
  /** Labels are never in here: they are facts of the ledger. */
  brief: z.string().optional(),
});
export type RecordingMetadata = z.infer<typeof RecordingMetadata>;

export type McapMetadataRecord = { readonly name: string; readonly metadata: ReadonlyMap<string, string> };

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
    record('fleet.clock', { source: metadata.clock.source, uncertaintyNs: metadata.clock.uncertaintyNs }),
    record('fleet.gap', { gaps: JSON.stringify(metadata.gaps) }),
    record('fleet.loss', { loss: JSON.stringify(metadata.loss) }),
  ];
  if (metadata.brief !== undefined) records.push(record('fleet.brief', { id: metadata.brief }));
  if (metadata.event !== undefined) {
    const { id, startNs, endNs, triggers, campaigns, continues } = metadata.event;
    const entries = { id, startNs, endNs, triggers: JSON.stringify(triggers), campaigns: JSON.stringify(campaigns) };
    records.push(record('fleet.event', continues === undefined ? entries : { ...entries, continues }));
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
  const candidate = {
    vehicle: Object.fromEntries(need('fleet.vehicle')),
    software: Object.fromEntries(need('fleet.software')),
    session: { name: session.get('name'), attributes: parseJson('fleet.session', session.get('attributes')) },
    clock: Object.fromEntries(need('fleet.clock')),
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

function parseJson(name: string, text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch (cause) {
    throw new FleetError('INGEST_METADATA_MISSING', `the metadata record ${name} does not hold JSON`, { cause });
  }
}
