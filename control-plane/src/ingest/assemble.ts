/** Puts a recording together, hashes it and checks it in one pass over its bytes. */
import { type Digest, FleetError } from '@fleetloop/schemas';
import { checkRecording, type RecordingSummary, type StandardCheck } from './recording-check.ts';

/** Either a recording that holds, or why it does not; the assembled file stands in both cases. */
export type Assembled = {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly check:
    | { readonly kind: 'good'; readonly summary: RecordingSummary }
    | { readonly kind: 'bad'; readonly error: FleetError };
};

/** Where the bytes go. */
export type RecordingFile = {
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Makes what was written durable; returns its digest and size. */
  readonly finish: () => Promise<{ readonly digest: Digest; readonly sizeBytes: number }>;
};

/**
 * Writes all bytes into `assembly` and checks them on the way. A recording that is refused halfway is still written to its
 * end, so that its digest is known and quarantine has all of it.
 * @throws FleetError RECORD_WRITE (retryable) when reading or writing fails; whatever the source throws as FleetError
 */
export async function assembleRecording(
  bytes: AsyncIterable<Uint8Array>,
  assembly: RecordingFile,
  standard?: StandardCheck,
): Promise<Assembled> {
  const copy = new Copy(bytes, assembly);
  const check = await checkRecording(copy.parts(), standard).then(
    (summary) => ({ kind: 'good', summary }) as const,
    // Failures of the disk are told apart below: whatever the check throws is about the bytes.
    (error: unknown) => ({ kind: 'bad', error: FleetError.from(error, 'INGEST_MCAP_INVALID') }) as const,
  );
  await copy.drain();
  const { digest, sizeBytes } = await assembly.finish();
  return { digest, sizeBytes, check };
}

/** Reads ahead of the check; keeps failures of the disk apart from faults of the recording. */
class Copy {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #assembly: RecordingFile;
  #failure: FleetError | undefined;

  constructor(bytes: AsyncIterable<Uint8Array>, assembly: RecordingFile) {
    this.#iterator = bytes[Symbol.asyncIterator]();
    this.#assembly = assembly;
  }

  /** No `return` method: a check that gives up does not end the copy. */
  parts(): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => ({ next: async () => this.#next() }) };
  }

  async drain(): Promise<void> {
    while (this.#failure === undefined) {
      const { done } = await this.#next();
      if (done === true) return;
    }
    throw this.#failure;
  }

  async #next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      const result = await this.#iterator.next();
      if (result.done === true) return { done: true, value: undefined };
      await this.#assembly.write(result.value);
      return { done: false, value: result.value };
    } catch (cause) {
      this.#failure = FleetError.from(cause, 'RECORD_WRITE');
      throw this.#failure;
    }
  }
}
