/** The live sources as drives of the agent: one after the other, from mark to mark, as long as the agent runs. */
import type { Channel, SourceMessage } from '@fleetloop/schemas';
import type { Drive, DriveSource } from '../ports.ts';
import type { LiveIntake, LiveSession } from './live-intake.ts';
import type { QueueOwner, QueuedMessage } from './live-queue.ts';

/** Messages of one batch; as in a source of files. */
const BATCH_MESSAGES_MAX = 256;

/** A drive that happens now. */
export type LiveDrive = Drive & Required<Pick<Drive, 'clockBetween' | 'nowNs'>>;

export class LiveSource implements DriveSource {
  readonly #intake: LiveIntake;
  #finished = 0;

  constructor(intake: LiveIntake) {
    this.#intake = intake;
  }

  get finishedCount(): number {
    return this.#finished;
  }

  /** A vehicle is live for ever. */
  get isAtEnd(): boolean {
    return false;
  }

  async next(signal: AbortSignal): Promise<LiveDrive | undefined> {
    const { queue } = this.#intake;
    using _ = this.#wokenBy(signal);
    while (!signal.aborted) {
      await queue.filled();
      const session = queue.takeSession();
      if (session !== undefined) return this.#toDrive(session);
      // A drive that failed leaves messages behind; they are nobody's, and their senders get their credit back.
      if (!signal.aborted) giveBack(queue.takeMessages(BATCH_MESSAGES_MAX));
    }
    return undefined;
  }

  async finished(): Promise<void> {
    this.#finished += 1;
  }

  #toDrive(session: LiveSession): LiveDrive {
    const intake = this.#intake;
    return {
      session: session.name,
      attributes: session.attributes,
      get channels(): readonly Channel[] {
        return [...intake.channels.topics.values()].map(({ channel }) => channel);
      },
      isReplayable: false,
      speed: 0,
      batches: (signal) => this.#batches(signal),
      nowNs: () => session.clock.at(intake.monotonicNs()),
      clockBetween: (startNs, endNs) => intake.clockBetween(session, startNs, endNs),
    };
  }

  /** One listener for as long as somebody waits: a wait for each batch adds up to thousands a minute. */
  #wokenBy(signal: AbortSignal | undefined): Disposable {
    const wake = (): void => this.#intake.queue.wake();
    signal?.addEventListener('abort', wake);
    return { [Symbol.dispose]: () => signal?.removeEventListener('abort', wake) };
  }

  /** Ends before the next session. A batch's credit goes back when the next one is asked for: then it has been dealt with. */
  async *#batches(signal?: AbortSignal): AsyncGenerator<readonly SourceMessage[]> {
    const { queue } = this.#intake;
    using _ = this.#wokenBy(signal);
    while (signal?.aborted !== true) {
      await queue.filled();
      const batch = queue.takeMessages(BATCH_MESSAGES_MAX);
      if (batch.length === 0) return;
      try {
        yield batch.map(({ message }) => message);
      } finally {
        giveBack(batch);
      }
    }
  }
}

/** One release for each owner of the batch. */
function giveBack(batch: readonly QueuedMessage[]): void {
  const sums = new Map<QueueOwner, { messages: number; bytes: number }>();
  for (const { owner, sizeBytes } of batch) {
    const sum = sums.get(owner);
    if (sum === undefined) sums.set(owner, { messages: 1, bytes: sizeBytes });
    else {
      sum.messages += 1;
      sum.bytes += sizeBytes;
    }
  }
  for (const [owner, { messages, bytes }] of sums) owner.released(messages, bytes);
}
