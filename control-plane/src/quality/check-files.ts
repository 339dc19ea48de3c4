/** Why: checks files without any server: reads each once, from any format that sources are read from, and judges what came. */
import { FleetError, type RecordingMetadata } from '@fleetloop/schemas';
import { fromMetadataRecords, type McapMetadataRecord } from '@fleetloop/schemas/recording';
import { openSource, type LoadedMapping, type Source, type SourceFiles } from '@fleetloop/schemas/source';
import type { CheckReport } from './finding.ts';
import type { RecordingForm } from './schema-drift.ts';
import { RecordingCheck, type RecordingFacts } from './recording-check.ts';
import type { Standard } from './standard.ts';

/** Codes that say that the file itself is damaged; other failures are of the call. */
const DAMAGE: ReadonlySet<string> = new Set([
  'SOURCE_FORMAT',
  'SOURCE_VALUE_INVALID',
  'SOURCE_ROW_INVALID',
  'SOURCE_LIMIT',
  'SOURCE_EMPTY',
  'INGEST_MCAP_INVALID',
  'INGEST_LIMIT',
]);

export type CheckOptions = {
  readonly files: SourceFiles;
  readonly standard: Standard;
  readonly mapping?: LoadedMapping | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type FileReport = { readonly file: string } & CheckReport;
/** A report, and what later files of the same vehicle are compared with; undefined for a file that names no vehicle. */
export type CheckedFile = { readonly report: FileReport; readonly form: RecordingForm | undefined };

/** @throws FleetError SOURCE_NOT_FOUND, MAPPING_INVALID: what is wrong with the call, not with the file */
export async function checkFile(
  path: string,
  { files, standard, mapping, signal }: CheckOptions,
): Promise<CheckedFile> {
  const check = new RecordingCheck(standard);
  let source: Source | undefined;
  let damage: string | undefined;
  try {
    source = await openSource({ ...mapping, sourcePath: path, files, signal });
    for await (const batch of source.batches()) for (const message of batch) check.push(message);
  } catch (error) {
    signal?.throwIfAborted();
    const failure = FleetError.from(error);
    if (!DAMAGE.has(failure.code)) throw failure;
    damage = failure.message;
  }
  const facts = metadataFacts(source?.description.metadata ?? []);
  const forms = check.forms();
  const report = {
    file: path,
    ...check.finish({
      ...facts,
      damage,
      declared: source?.description.channels ?? [],
      attributes: source?.description.attributes,
    }),
  };
  const { metadata } = facts;
  const form =
    metadata === undefined
      ? undefined
      : {
          vehicle: metadata.vehicle.id,
          softwareVersion: metadata.software.version,
          startNs: check.startNs,
          topics: forms,
        };
  return { report, form };
}

/** A file without any record of ours is of somebody else and carries what it carries; one with some must have all. */
function metadataFacts(records: readonly McapMetadataRecord[]): Pick<RecordingFacts, 'metadata' | 'metadataFault'> {
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
