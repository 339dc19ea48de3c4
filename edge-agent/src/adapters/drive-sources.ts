/** Opens source files as drives of the agent. */
import type { RecordingClock, SourceMessage } from '@fleetloop/schemas';
import type { LoadedMapping, Source } from '@fleetloop/schemas/source';
import { loadMapping, openSource } from '../capture/open-source.ts';
import type { Drive, DriveDropout } from '../ports.ts';

/** What a recording lists. */
const CLOCKS_MAX = 256;
const NS_PER_MS = 1e6;

export type DriveRequest = {
  /** May be left out for files that describe themselves: MCAP, ULog, candump. */
  readonly mappingPath?: string | undefined;
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
  const loaded = request.mappingPath === undefined ? undefined : await loadMapping(request.mappingPath);
  const mapping = loaded === undefined || request.startAt === undefined ? loaded : withEpoch(loaded, request.startAt);
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
    isReplayable: true,
    speed: request.speed,
    batches: () => (shiftTo === undefined ? source.batches() : shiftBatches(source.batches(), shiftTo)),
    clockBetween: () => clocksOf(source),
    // A drive that was moved in time says nothing of when its recorder could not keep up.
    dropoutsBetween: (startNs, endNs) => (shiftTo === undefined ? dropoutsOf(source, startNs, endNs) : []),
  };
}

/** How stamps with a clock of their own were converted, as far as the source has been read. */
function clocksOf(source: Source): Partial<RecordingClock> {
  const sources = source
    .report()
    .clocks.flatMap(({ topics, kind, offsetNs, uncertaintyNs }) =>
      topics.map((topic) => ({ topic, kind, offsetNs: offsetNs.toString(), uncertaintyNs: uncertaintyNs.toString() })),
    );
  return sources.length === 0 ? {} : { sources: sources.slice(0, CLOCKS_MAX) };
}

function dropoutsOf(source: Source, startNs: bigint, endNs: bigint): readonly DriveDropout[] {
  return source.report().dropouts.flatMap(({ atNs, durationMs }) => {
    const fromNs = atNs - BigInt(Math.round(durationMs * NS_PER_MS));
    return fromNs <= endNs && atNs >= startNs ? [{ fromNs, toNs: atNs }] : [];
  });
}

type Time = { readonly kind?: string; readonly epoch?: string | undefined };

/** Stamps that count from a start which the mapping names; texts name their own time, and recordings count from their clock's. */
const takesEpoch = ({ kind }: Time): boolean => kind !== undefined && !/8601$|^localDayMonth$|^timestamp$/.test(kind);

function timesOf({ mapping }: LoadedMapping): readonly Time[] {
  return 'files' in mapping ? mapping.files.map((file) => file.time) : [mapping.time];
}

const hasEpoch = (loaded: LoadedMapping | undefined): boolean =>
  loaded !== undefined && timesOf(loaded).every(takesEpoch);

function withEpoch({ mapping, folder }: LoadedMapping, epoch: string): LoadedMapping {
  switch (mapping.format) {
    case 'csv':
      return { folder, mapping: { ...mapping, files: mapping.files.map((file) => fileWithEpoch(file, epoch)) } };
    case 'parquet':
      return { folder, mapping: { ...mapping, files: mapping.files.map((file) => fileWithEpoch(file, epoch)) } };
    case 'npy':
      return { folder, mapping: { ...mapping, time: { ...mapping.time, epoch } } };
    default:
      return { folder, mapping };
  }
}

function fileWithEpoch<T extends { readonly time: Time }>(file: T, epoch: string): T {
  return takesEpoch(file.time) ? { ...file, time: { ...file.time, epoch } } : file;
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
