/** Chooses the message that goes next: the most urgent that budgets, holds, rate and window let go, in the turn of its class. */
import { PRIORITIES, type Priority } from '@fleetloop/schemas';
import { charge, nextTurn, type Shares, startRound } from './deficit-round.ts';
import { type LinkModel, mayTake } from './link-model.ts';
import type { SendHold } from './send-hold.ts';
import type { TrafficBudget } from './traffic-budget.ts';
import type { UplinkConfig } from './uplink-config.ts';
import type { Upload, UploadBook } from './upload-book.ts';
import { chunkBytes, manifestBytes, MESSAGE_OVERHEAD_BYTES } from './upload-item.ts';
import { nextSend } from './upload-state.ts';
import type { UploadSteps } from './upload-steps.ts';

/** How long nothing is looked at when nothing is due. */
export const IDLE_WAIT_MS = 60_000;

/** One message that could go now. */
export type Candidate = { readonly upload: Upload; readonly what: 'manifest' | number; readonly bytes: number };

/** What the link is like now. */
export type LinkNow = {
  readonly nowMs: number;
  readonly model: LinkModel;
  /** Nobody seems to answer: uploads that wait for an answer count as under way, and nothing new is begun. */
  readonly countAiling: boolean;
};

export type SendChoiceOptions = {
  readonly book: UploadBook;
  readonly steps: UploadSteps;
  readonly traffic: TrafficBudget;
  readonly holds: ReadonlyMap<Priority, SendHold>;
  readonly config: UplinkConfig;
};

export class SendChoice {
  readonly #options: SendChoiceOptions;
  #round: Shares;

  constructor(options: SendChoiceOptions) {
    this.#options = options;
    this.#round = startRound(options.config.quantaBytes);
  }

  /** The message that goes next, or how long there will be none, ms. */
  next(link: LinkNow): Candidate | number {
    const { book, traffic, holds, config } = this.#options;
    const { nowMs, countAiling } = link;
    let waitMs = IDLE_WAIT_MS;
    const may = (candidate: Candidate | undefined, priority: Priority): candidate is Candidate => {
      if (candidate === undefined) return false;
      const heldMs = (holds.get(candidate.upload.item.entry.priority)?.untilMs ?? 0) - nowMs;
      const blockedMs = Math.max(heldMs, traffic.dayWaitMs(priority, candidate.bytes));
      if (blockedMs > 0) waitMs = Math.min(waitMs, blockedMs);
      return blockedMs <= 0;
    };
    const tombstone = this.#candidateOf(book.next('tombstone', countAiling), nowMs);
    if (may(tombstone, 'safety')) return this.#admit(tombstone, 'safety', link);
    const candidates = new Map<Priority, Candidate>();
    for (const priority of PRIORITIES) {
      const candidate = this.#candidateOf(this.#nextOf(priority, link), nowMs);
      // A boost changes the order and not the budget: bulk stays bulk on a bill.
      if (may(candidate, candidate?.upload.item.entry.priority ?? priority)) candidates.set(priority, candidate);
    }
    const turn = nextTurn(this.#round, config.quantaBytes, (priority) => candidates.has(priority));
    const chosen = turn === undefined ? undefined : candidates.get(turn.priority);
    if (turn === undefined || chosen === undefined) return waitMs;
    this.#round = turn.round;
    return this.#admit(chosen, turn.priority, link);
  }

  /** One that a relay has waits for its time before it has begun: it must not stand in front of the others. */
  #nextOf(priority: Priority, { nowMs, countAiling }: LinkNow): Upload | undefined {
    const { book, steps } = this.#options;
    for (;;) {
      const upload = book.next(priority, countAiling);
      if (upload === undefined || upload.state !== undefined) return upload;
      if (upload.item.kind !== 'recording' || upload.item.entry.storedAt === undefined) return upload;
      upload.state = steps.stateOf(upload);
      book.update(upload.key, nowMs);
    }
  }

  #candidateOf(upload: Upload | undefined, nowMs: number): Candidate | undefined {
    if (upload === undefined) return undefined;
    const next = nextSend(this.#options.steps.stateOf(upload), nowMs);
    if (next.kind === 'manifest') return { upload, what: 'manifest', bytes: manifestBytes(upload.item) };
    if (next.kind !== 'chunk' || upload.item.kind !== 'recording') return undefined;
    return { upload, what: next.index, bytes: chunkBytes(upload.item.entry, next.index) + MESSAGE_OVERHEAD_BYTES };
  }

  /** The rate and the window have the last word; what is urgent may wait on the link instead of here. */
  #admit(candidate: Candidate, priority: Priority, { model, nowMs }: LinkNow): Candidate | number {
    const spareBytes = priority === 'safety' ? model.pieceBytes : 0;
    if (!mayTake(model, candidate.bytes - spareBytes, nowMs)) return IDLE_WAIT_MS;
    const flowMs = this.#options.traffic.flowWaitMs(candidate.bytes);
    if (flowMs > 0) return Math.min(IDLE_WAIT_MS, flowMs);
    if (candidate.upload.item.kind === 'recording') this.#round = charge(this.#round, priority, candidate.bytes);
    return candidate;
  }
}
