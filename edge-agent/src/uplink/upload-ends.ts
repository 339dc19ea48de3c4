/** Writes what receipts say to the spool, in the background; the disk may refuse. */
import { assertNever, FleetError } from '@fleetloop/schemas';
import type { AgentLogger } from '../ports.ts';
import type { UploadItem, UploadSpool } from './upload-item.ts';
import type { UploadOutcome } from './upload-state.ts';

export class UploadEnds {
  readonly #spool: UploadSpool;
  readonly #logger: AgentLogger;
  readonly #writing = new Set<Promise<void>>();

  constructor(spool: UploadSpool, logger: AgentLogger) {
    this.#spool = spool;
    this.#logger = logger;
  }

  /** The end of an upload; `onWritten` is told whether it is on disk. */
  write(item: UploadItem, outcome: UploadOutcome, onWritten: (isWritten: boolean) => void): void {
    this.#inBackground(item, async () => this.#end(item, outcome), onWritten);
  }

  /** A relay has it as a whole. */
  stored(item: UploadItem, relay: string): void {
    const { entry } = item;
    if (item.kind === 'tombstone' || item.entry.storedAt === relay) return;
    this.#inBackground(item, async () => {
      await this.#spool.stored(entry.eventId, relay);
      this.#logger.info({ eventId: entry.eventId, relay }, 'uplink.recording.stored');
    });
  }

  /** Resolves when nothing is being written any more. */
  async written(): Promise<void> {
    await Promise.all(this.#writing);
  }

  #inBackground(item: UploadItem, work: () => Promise<void>, onWritten: (isWritten: boolean) => void = () => {}): void {
    const written = this.#attempt(item, work).then((isWritten) => {
      this.#writing.delete(written);
      onWritten(isWritten);
    });
    this.#writing.add(written);
  }

  async #attempt(item: UploadItem, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const { code, message } = FleetError.from(error);
      this.#logger.error({ eventId: item.entry.eventId, code, message }, 'uplink.outcome.failed');
      return false;
    }
  }

  async #end(item: UploadItem, outcome: UploadOutcome): Promise<void> {
    const { eventId } = item.entry;
    if (item.kind === 'tombstone') {
      await this.#spool.tombstoneDelivered(eventId);
      this.#logger.info({ eventId, outcome: outcome.kind }, 'uplink.tombstone.delivered');
      return;
    }
    switch (outcome.kind) {
      case 'verified':
        await this.#spool.verified(eventId, outcome.ledgerSequence);
        this.#logger.info({ eventId, ledgerSequence: String(outcome.ledgerSequence) }, 'uplink.recording.verified');
        return;
      case 'refused':
        await this.#spool.refused(eventId, outcome.code, outcome.message);
        break;
      case 'failed':
        await this.#spool.quarantine(eventId, outcome.code, outcome.message);
        break;
      default:
        assertNever(outcome);
    }
    const { code, message } = outcome;
    this.#logger.warn({ eventId, code, message }, `uplink.recording.${outcome.kind}`);
  }
}
