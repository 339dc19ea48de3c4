/** Why: what the metadata records of a recording tell the rules; the check of a file and the one at ingest must be told the same. */
import { FleetError, type RecordingMetadata } from '@fleetloop/schemas';
import { fromMetadataRecords, type McapMetadataRecord } from '@fleetloop/schemas/recording';
import type { RecordingFacts } from './judged.ts';

/** A file without any record of ours is of somebody else and carries what it carries; one with some must have all. */
export function metadataFacts(
  records: readonly McapMetadataRecord[],
): Pick<RecordingFacts, 'metadata' | 'metadataFault' | 'vehicleId'> {
  if (!records.some(({ name }) => name.startsWith('fleet.'))) return {};
  let metadata: RecordingMetadata;
  try {
    metadata = fromMetadataRecords(records);
  } catch (error) {
    return { metadataFault: FleetError.from(error).message };
  }
  const device = records.find(({ name }) => name === 'foxglove')?.metadata.get('deviceId');
  return { metadata, ...(device === undefined ? {} : { vehicleId: device }) };
}
