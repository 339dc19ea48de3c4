/** Stored time ranges that the cloud asks for: each becomes recordings once, and what became of it is reported until it is taken off the list. */
import { FleetError, type PullRequest, type ReportedState } from '@fleetloop/schemas';
import { z } from 'zod';
import type { AgentLogger } from '../ports.ts';
import type { Explanation } from '../spool/spool-entry.ts';
import type { RecorderEffect } from './recorder-effects.ts';

export type PullReport = NonNullable<ReportedState['pulls']>[number];

const STATE_FILE = 'pulls.json';
const EVENTS_MAX = 64;
/** Pulls that were taken off the list and are still told of. */
const REMEMBERED_MAX = 32;

const Remembered = z
  .array(z.strictObject({ id: z.string(), eventIds: z.array(z.string()).max(EVENTS_MAX) }))
  .max(4 * REMEMBERED_MAX);

export type PullDeskOptions = {
  /** @throws FleetError PULL_UNAVAILABLE, SPOOL_CORRUPT */
  readonly claimRange: (pull: PullRequest) => Promise<readonly RecorderEffect[]>;
  /** Resolves when the recordings are on disk. */
  readonly keep: (effects: readonly RecorderEffect[]) => Promise<void>;
  readonly explain: (eventId: string) => Explanation;
  /** Gives up a recording that waits, with a reason that the cloud is told. @throws FleetError RECORD_WRITE */
  readonly giveUp: (eventId: string, code: 'PULL_CANCELLED', reason: string) => Promise<void>;
  readonly files: {
    readText(name: string): Promise<string | undefined>;
    writeText(name: string, text: string): Promise<void>;
  };
  readonly logger: AgentLogger;
  readonly onChange: () => void;
};

export class PullDesk {
  readonly #options: PullDeskOptions;
  #wanted: readonly PullRequest[] = [];
  readonly #reports = new Map<string, PullReport>();
  #work: Promise<void> = Promise.resolve();

  constructor(options: PullDeskOptions) {
    this.#options = options;
  }

  /** Takes up what the last run has captured, so that it is not captured again. */
  async restore(): Promise<void> {
    const text = await this.#options.files.readText(STATE_FILE);
    if (text === undefined) return;
    const parsed = Remembered.safeParse(parseJson(text));
    // A damaged file only means that ranges that are still asked for are looked for again; what is spooled is known by its id.
    for (const { id, eventIds } of parsed.data ?? []) this.#reports.set(id, { id, state: 'captured', eventIds });
  }

  /** The pulls that the cloud wants; one that is gone from the list is cancelled as far as it is not uploaded. */
  apply(pulls: readonly PullRequest[]): void {
    const ids = new Set(pulls.map(({ id }) => id));
    const gone = this.#wanted.filter(({ id }) => !ids.has(id));
    const fresh = pulls.filter(({ id }) => !this.#reports.has(id));
    this.#wanted = pulls;
    for (const { id } of fresh) this.#reports.set(id, { id, state: 'received', eventIds: [] });
    for (const { id } of gone) this.#then(async () => this.#cancel(id));
    for (const pull of fresh) this.#then(async () => this.#capture(pull));
  }

  report(): readonly PullReport[] {
    return [...this.#reports.values()].map((report) => this.#withUploads(report));
  }

  /** Resolves when nothing is being captured or cancelled. */
  async idle(): Promise<void> {
    await this.#work;
  }

  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      const { code, message } = FleetError.from(error);
      this.#options.logger.error({ code, message }, 'record.pull.failed');
    });
  }

  async #capture(pull: PullRequest): Promise<void> {
    const { claimRange, keep, logger, onChange } = this.#options;
    const { id } = pull;
    // Cancelled while it waited for its turn.
    if (!this.#wanted.some((each) => each.id === id)) return;
    try {
      const effects = await claimRange(pull);
      const eventIds = effects
        .flatMap((effect) => (effect.kind === 'close' ? [effect.recording.id] : []))
        .slice(0, EVENTS_MAX);
      await keep(effects);
      this.#reports.set(id, { id, state: 'captured', eventIds });
      logger.info({ pull: id, events: eventIds.length }, 'record.pull.captured');
      await this.#remember();
    } catch (error) {
      const { code, message } = FleetError.from(error);
      const state = code === 'PULL_UNAVAILABLE' ? 'unavailable' : 'refused';
      this.#reports.set(id, { id, state, eventIds: [], code, reason: message.slice(0, 2_000) });
      logger.warn({ pull: id, code, message }, 'record.pull.refused');
    }
    onChange();
  }

  async #cancel(id: string): Promise<void> {
    const { explain, giveUp, onChange, logger } = this.#options;
    const report = this.#reports.get(id);
    const waiting = (report?.eventIds ?? []).filter((eventId) => explain(eventId).kind === 'queued');
    for (const eventId of waiting) await giveUp(eventId, 'PULL_CANCELLED', `the pull ${id} was cancelled`);
    if (report !== undefined && (waiting.length > 0 || report.state === 'received')) {
      this.#reports.set(id, { ...report, state: 'cancelled' });
      logger.info({ pull: id, events: waiting.length }, 'record.pull.cancelled');
    }
    this.#forgetOldest();
    await this.#remember();
    onChange();
  }

  /** The end of a pull is the end of its recordings: all are verified, or one of them never will be. */
  #withUploads(report: PullReport): PullReport {
    if (report.state !== 'captured' || report.eventIds.length === 0) return report;
    const found = report.eventIds.map((eventId) => this.#options.explain(eventId));
    const ends = found.flatMap((each) => (each.kind === 'ended' ? [each.outcome] : []));
    if (ends.length < found.length) return report;
    const failed = ends.find(({ outcome }) => outcome !== 'verified');
    if (failed === undefined) return { ...report, state: 'uploaded' };
    const { id, outcome, code, reason } = failed;
    return {
      ...report,
      state: 'refused',
      ...(code === undefined ? {} : { code }),
      reason: `recording ${id} was ${outcome}: ${reason ?? 'no reason was given'}`.slice(0, 2_000),
    };
  }

  #forgetOldest(): void {
    const wanted = new Set(this.#wanted.map(({ id }) => id));
    const gone = [...this.#reports.keys()].filter((id) => !wanted.has(id));
    for (const id of gone.slice(0, Math.max(0, gone.length - REMEMBERED_MAX))) this.#reports.delete(id);
  }

  async #remember(): Promise<void> {
    const captured = [...this.#reports.values()].filter(({ state }) => state === 'captured');
    const text = JSON.stringify(captured.map(({ id, eventIds }) => ({ id, eventIds })));
    await this.#options.files.writeText(STATE_FILE, text);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
