/**
 * Why: which samples come too late is a matter of the order in which they arrive. A recording of the fleet keeps that of the vehicle, and
 * the control plane computes from it as it is; the disorder of any other source is repaired, here as by an import.
 */
import type { SourceMessage } from '@fleetloop/schemas';
import { readRecording } from '@fleetloop/schemas/recording';
import {
  isFleetRecording,
  type LoadedMapping,
  openSource,
  type Source,
  type SourceFiles,
} from '@fleetloop/schemas/source';

export type FeatureSourceOptions = {
  readonly files: SourceFiles;
  /** Needed for sources that do not describe themselves. */
  readonly mapping?: LoadedMapping | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type FeatureSource = { readonly session: string; readonly messages: () => AsyncGenerator<SourceMessage> };

/** @throws FleetError what sources and recordings throw; while reading, the reason of `signal` when it aborts */
export async function openFeatureSource(
  path: string,
  { files, mapping, signal }: FeatureSourceOptions,
): Promise<FeatureSource> {
  const source = await openSource({ ...mapping, sourcePath: path, files, signal });
  const isInOrder = mapping === undefined && (await isFleetRecording(path, files));
  const messages = isInOrder
    ? () => messagesAsTheyCame(files.read(path, signal), signal)
    : () => messagesOf(source, signal);
  return { session: source.description.session, messages };
}

async function* messagesAsTheyCame(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<SourceMessage> {
  for await (const item of readRecording(bytes)) {
    signal?.throwIfAborted();
    if (item.kind === 'message') yield item.message;
  }
}

async function* messagesOf(source: Source, signal: AbortSignal | undefined): AsyncGenerator<SourceMessage> {
  for await (const batch of source.batches()) {
    signal?.throwIfAborted();
    yield* batch;
  }
}
