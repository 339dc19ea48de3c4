/** Whether the memory of ingest depends on the size of what comes: one recording, made while it is sent. */
import { Readable } from 'node:stream';
import { startBenchServers } from '../bench-servers.ts';
import { residentBytes } from '../edge/process-usage.ts';
import type { FigureContext } from '../figure.ts';
import type { Measurement } from '../measurement.ts';
import { streamedRecording } from './streamed-recording.ts';

/** About what a minute allows with the sender on the same two cores. */
const BYTES_PER_MINUTE = 2e9;
const BYTES_MAX = 10e9;
const BYTES_PER_MB = 1e6;

export async function measureMemory({ minutes, signal, onProgress }: FigureContext): Promise<readonly Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const { api, pid } = await startBenchServers(signal, resources);
  const sizeBytes = Math.min(BYTES_MAX, minutes * BYTES_PER_MINUTE);
  onProgress(`sending a recording of ${(sizeBytes / BYTES_PER_MB).toFixed(0)} MB`);
  await api.postBytes('/v1/imports', Readable.from(streamedRecording('memory', sizeBytes)), { signal });
  const { peak } = await residentBytes(pid);
  const value = peak / BYTES_PER_MB;
  const figure = `peak memory of the control plane, one recording of ${(sizeBytes / 1e9).toFixed(1)} GB`;
  return [{ bench: 'data', figure, unit: 'MB', value, min: value, max: value, repeats: 1, target: { atMost: 400 } }];
}
