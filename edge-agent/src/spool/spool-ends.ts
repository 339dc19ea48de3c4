/**
 * How recordings leave the spool: the line that says why is on disk before the file goes. Whoever calls this has the index to itself, and
 * tells those who follow the spool afterwards.
 */
import { FleetError, restOf } from '@fleetloop/schemas';
import type { AgentClock, AgentLogger } from '../ports.ts';
import type { DurableFiles } from './durable-files.ts';
import type { IndexJournal } from './index-journal.ts';
import {
  originOf,
  originOfLost,
  type Outcome,
  type SpoolableRecording,
  type SpoolEntry,
  tombstonesAfter,
} from './spool-entry.ts';
import { QUARANTINE, recordingName, REFUSED } from './spool-layout.ts';
import { setFileAside } from './spool-recovery.ts';
import type { SpoolSpace } from './spool-space.ts';

const REASON_LENGTH_MAX = 2_000;

export type SpoolEndsOptions = {
  readonly files: DurableFiles;
  readonly journal: IndexJournal;
  readonly space: SpoolSpace;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
};

/** Why a recording comes to its end. */
export type EndReason = Pick<Outcome, 'outcome'> &
  Partial<Pick<Outcome, 'code' | 'reason' | 'into' | 'ledgerSequence'>>;

export class SpoolEnds {
  readonly #options: SpoolEndsOptions;

  constructor(options: SpoolEndsOptions) {
    this.#options = options;
  }

  /** Writes the end of a recording that is here, then brings its file where it belongs. @throws FleetError RECORD_WRITE */
  async end(eventId: string, why: EndReason): Promise<void> {
    const { files, journal, space } = this.#options;
    const entry = journal.index.entry(eventId);
    if (entry === undefined) return;
    const outcome = await this.#append({ ...originOf(entry), ...why, ...shortened(why) });
    const name = recordingName(eventId, entry.generation);
    if (why.outcome === 'refused') {
      await setFileAside(files, name, { folder: REFUSED, outcome });
      space.addRefused(entry);
    } else if (why.outcome === 'quarantined') {
      await setFileAside(files, name, { folder: QUARANTINE, outcome });
    } else {
      await this.removeFile(entry);
    }
  }

  /** Makes room. @throws FleetError RECORD_WRITE */
  async evict(eventId: string, reason: string): Promise<void> {
    const { files, journal, space, logger } = this.#options;
    const entry = journal.index.entry(eventId);
    if (entry === undefined) {
      // A refused recording has its outcome already; only the copy goes.
      await files.remove(`${REFUSED}/${eventId}.mcap`);
      space.removeRefused(eventId);
      return;
    }
    const why = { code: 'SPOOL_FULL', ...shortened({ reason }) };
    await this.#append({ ...originOf(entry), outcome: 'evicted', ...why });
    logger.warn({ eventId, priority: entry.priority, ...why }, 'spool.recording.evicted');
    await this.removeFile(entry);
  }

  /**
   * A recording that does not come in leaves a tombstone; when a shorter one of its event stays, under a name of its own.
   * @throws FleetError RECORD_WRITE
   */
  async turnAway(
    recording: SpoolableRecording,
    { sizeBytes, ...why }: { readonly code: string; readonly reason: string; readonly sizeBytes: number },
  ): Promise<void> {
    const { journal, logger } = this.#options;
    const { id, priority } = recording;
    const isShorterKept = journal.index.entry(id) !== undefined;
    logger.warn({ eventId: id, priority, isShorterKept, ...why }, 'spool.recording.evicted');
    const lost = isShorterKept ? restOf(id) : id;
    const origin = { ...originOfLost(recording, lost), sizeBytes, ...tombstonesAfter(journal.index.outcome(lost)) };
    await this.#append({ ...origin, outcome: 'evicted', ...why, ...shortened(why) });
  }

  /** What the index says is done; a file that stays because of it is found at the next start. */
  async removeFile({ eventId, generation }: SpoolEntry): Promise<void> {
    const { files, logger } = this.#options;
    await files.remove(recordingName(eventId, generation)).catch((error: unknown) => {
      logger.warn({ eventId, reason: FleetError.from(error).message }, 'spool.file.left');
    });
  }

  async #append(outcome: Omit<Outcome, 'atMs'>): Promise<Outcome> {
    const { journal, clock } = this.#options;
    const full: Outcome = { ...outcome, atMs: clock.nowMs() };
    await journal.append({ kind: 'outcome', ...full });
    return full;
  }
}

const shortened = ({ reason }: { readonly reason?: string }): { readonly reason?: string } =>
  reason === undefined ? {} : { reason: reason.slice(0, REASON_LENGTH_MAX) };
