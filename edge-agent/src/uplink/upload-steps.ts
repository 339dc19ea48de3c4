/** Moves each upload from state to state, and writes its end; whatever the disk refuses is asked for again. */
import type { AgentClock } from '../ports.ts';
import type { UplinkConfig } from './uplink-config.ts';
import type { Upload, UploadBook } from './upload-book.ts';
import type { UploadEnds } from './upload-ends.ts';
import { doubtfulMax } from './upload-item.ts';
import { startUpload, stepUpload, type UploadInput, type UploadState } from './upload-state.ts';

/** After the disk refused an outcome. */
const OUTCOME_RETRY_MS = 30_000;

export type UploadStepsOptions = {
  readonly book: UploadBook;
  readonly ends: UploadEnds;
  readonly clock: AgentClock;
  readonly config: UplinkConfig;
  /** An upload has come to its end, or must be asked for again. */
  readonly onEnd: () => void;
};

export class UploadSteps {
  readonly #options: UploadStepsOptions;

  constructor(options: UploadStepsOptions) {
    this.#options = options;
  }

  /** The state of an upload; one that has not begun gets its first. */
  stateOf(upload: Upload): UploadState {
    if (upload.state !== undefined) return upload.state;
    const { item } = upload;
    if (item.kind === 'tombstone') return startUpload({ chunkCount: 0, isResumed: true });
    const { chunkDigests, isResumed, storedAt } = item.entry;
    return startUpload({
      chunkCount: chunkDigests.length,
      isResumed,
      doubtfulMax: doubtfulMax(item.entry),
      askStoredAtMs: storedAt === undefined ? undefined : this.#nextStoredAskMs(),
    });
  }

  step(upload: Upload, input: UploadInput): void {
    const { clock, book, ends } = this.#options;
    const nowMs = clock.monotonicMs();
    upload.state = stepUpload(this.stateOf(upload), input, { nowMs, jitter: clock.random() });
    const { outcome } = upload.state;
    if (outcome !== undefined && !upload.isSettling) {
      upload.isSettling = true;
      ends.write(upload.item, outcome, (isWritten) => this.#onEnd(upload, isWritten));
    }
    // An event that came again with other bytes has an upload of its own by now.
    if (book.find(upload.key) === upload) book.update(upload.key, nowMs);
  }

  /** If the disk refused the outcome, the upload stays and is asked for again. */
  #onEnd(upload: Upload, isWritten: boolean): void {
    const { clock, book, onEnd } = this.#options;
    const nowMs = clock.monotonicMs();
    const isCurrent = book.find(upload.key) === upload;
    if (isWritten && isCurrent) book.remove(upload.key);
    if (!isWritten) {
      const chunkCount = upload.state?.chunkCount ?? 0;
      upload.state = { ...startUpload({ chunkCount, isResumed: true }), notBeforeMs: nowMs + OUTCOME_RETRY_MS };
      upload.isSettling = false;
      if (isCurrent) book.update(upload.key, nowMs);
    }
    onEnd();
  }

  #nextStoredAskMs(): number {
    const { clock, config } = this.#options;
    return clock.monotonicMs() + config.storedAskMs * clock.random();
  }
}
