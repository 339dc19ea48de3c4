/** Takes sampled feature inputs out of the telemetry stream and keeps them as they came; what they mean is judged when skew is. */
import type { SampledVectorFilter, SampledVectors, StoredSample } from '../ports.ts';
import { readFeatureSample } from './feature-sample.ts';
import type { TelemetryMessage } from './fleet-telemetry.ts';
import type { SampleArchive } from './ports.ts';

export const FEATURE_SAMPLE_KIND = 'feature-sample';
/** Samples that wait to be written; at so many bytes they are written at once. */
const PENDING_BYTES_MAX = 8 * 1024 * 1024;

export class TelemetrySamples implements SampledVectors {
  readonly #archive: SampleArchive;
  #pending: StoredSample[] = [];
  #pendingFrom = 0;
  #pendingBytes = 0;
  /** Highest sequence of the telemetry stream that was taken. */
  #highestSequence: number;

  constructor(archive: SampleArchive) {
    this.#archive = archive;
    this.#highestSequence = archive.lastSequence;
  }

  /** Takes one message. True when enough has come together that `flush` should be called. */
  take({ kind, vehicleId, bytes, sequence, receivedAtMs }: TelemetryMessage): boolean {
    // Delivered again: on disk since before a crash, or still in memory because writing takes long.
    if (kind !== FEATURE_SAMPLE_KIND || sequence <= this.#highestSequence) return false;
    this.#highestSequence = sequence;
    const sample = readFeatureSample(vehicleId, bytes);
    if (sample === undefined) return false;
    if (this.#pending.length === 0) this.#pendingFrom = sequence;
    const { session, featureSet, windowStartNs, windowEndNs } = sample;
    this.#pending.push({ vehicleId, session, featureSet, windowStartNs, windowEndNs, receivedAtMs, bytes });
    this.#pendingBytes += bytes.length;
    return this.#pendingBytes >= PENDING_BYTES_MAX;
  }

  /** Writes what is pending; messages up to `lastSequence` may be acknowledged after it. */
  async flush(lastSequence: number): Promise<void> {
    const samples = this.#pending;
    if (samples.length === 0) return;
    await this.#archive.write(samples, this.#pendingFrom, lastSequence);
    // Nothing is taken while it is written.
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  async select(filter: SampledVectorFilter): Promise<readonly StoredSample[]> {
    return this.#archive.select(filter);
  }
}
