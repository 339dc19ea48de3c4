/** Opens source files as drives of the agent. */
import type { SourceMessage } from '@fleetloop/schemas';
import type { LoadedMapping, Source } from '@fleetloop/schemas/source';
import { loadMapping, openSource } from '../capture/open-source.ts';
import type { Drive } from '../ports.ts';

export type DriveRequest = {
  readonly mappingPath: string;
  /** Files of one session or of several; files that an earlier one brought with it are not opened twice. */
  readonly files: readonly string[];
  readonly session?: string | undefined;
  /** Start of relative stamps instead of the mapping's epoch, or of the whole drive when its stamps are absolute. */
  readonly startAt?: string | undefined;
  readonly speed: number;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
};

/** Opens what a request names, one drive per session. @throws FleetError SOURCE_*, MAPPING_* */
export async function* openDrives(request: DriveRequest, signal?: AbortSignal): AsyncGenerator<Drive> {
  const loaded = await loadMapping(request.mappingPath);
  const mapping = request.startAt === undefined ? loaded : withEpoch(loaded, request.startAt);
  const shiftTo =
    request.startAt !== undefined && !hasEpoch(mapping) ? BigInt(Date.parse(request.startAt)) * 1_000_000n : undefined;
  const opened = new Set<string>();
  for (const sourcePath of request.files) {
    if (opened.has(sourcePath)) continue;
    const source = await openSource({ ...mapping, sourcePath, ...(signal === undefined ? {} : { signal }) });
    for (const file of source.description.files) opened.add(file);
    yield toDrive(source, request, shiftTo);
  }
}

function toDrive(source: Source, request: DriveRequest, shiftTo: bigint | undefined): Drive {
  const { session, attributes, channels } = source.description;
  return {
    session: request.session ?? session,
    attributes: { ...attributes, ...request.attributes },
    channels,
    speed: request.speed,
    batches: () => (shiftTo === undefined ? source.batches() : shiftBatches(source.batches(), shiftTo)),
  };
}

type Time = { readonly kind: string; readonly epoch?: string | undefined };

const takesEpoch = (time: Time): boolean => time.kind !== 'iso8601';

function timesOf({ mapping }: LoadedMapping): readonly Time[] {
  return mapping.format === 'csv' ? mapping.files.map((file) => file.time) : [mapping.time];
}

const hasEpoch = (loaded: LoadedMapping): boolean => timesOf(loaded).every(takesEpoch);

function withEpoch({ mapping, folder }: LoadedMapping, epoch: string): LoadedMapping {
  if (mapping.format === 'npy') return { folder, mapping: { ...mapping, time: { ...mapping.time, epoch } } };
  const files = mapping.files.map((file) =>
    takesEpoch(file.time) ? { ...file, time: { ...file.time, epoch } } : file,
  );
  return { folder, mapping: { ...mapping, files } };
}

/** Moves all stamps so that the first message falls on `startNs`. */
async function* shiftBatches(
  batches: AsyncIterable<readonly SourceMessage[]>,
  startNs: bigint,
): AsyncGenerator<readonly SourceMessage[]> {
  let byNs: bigint | undefined;
  for await (const batch of batches) {
    const [first] = batch;
    if (first === undefined) continue;
    byNs ??= startNs - first.logTimeNs;
    const shift = byNs;
    yield batch.map((message) => ({
      ...message,
      logTimeNs: message.logTimeNs + shift,
      publishTimeNs: message.publishTimeNs + shift,
    }));
  }
}
