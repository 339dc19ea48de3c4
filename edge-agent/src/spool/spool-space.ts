/** Room for recordings: measures the disk, follows its state, and says what must go before a newcomer fits. */
import type { Priority } from '@fleetloop/schemas';
import type { AgentClock, AgentLogger } from '../ports.ts';
import {
  bytesUntilTaken,
  DISK_AT_START,
  type DiskInput,
  type DiskState,
  type DiskStateName,
  isTaken,
  stepDisk,
} from './disk-state.ts';
import type { Ballast } from './ballast.ts';
import type { DurableFiles } from './durable-files.ts';
import { type EvictionCandidate, type EvictionPlan, mattersMore, missingBytes, planEviction } from './eviction-plan.ts';
import type { SpoolIndex } from './spool-index.ts';

export type SpoolLimits = {
  /** Most bytes of recordings on disk, refused copies included. */
  readonly quotaBytes: number;
  /** Bytes of the file system that recordings leave free; the journal and the agent's small files live on them. */
  readonly reserveBytes: number;
  /** Bytes of the quota that only safety recordings may use. */
  readonly safetyFloorBytes: number;
};

/** A refused recording that still lies on disk. */
export type RefusedCopy = { readonly eventId: string; readonly priority: Priority; readonly sizeBytes: number };

type SpaceOptions = {
  readonly files: DurableFiles;
  readonly ballast: Ballast;
  readonly index: SpoolIndex;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  readonly limits: SpoolLimits;
};

export class SpoolSpace {
  readonly #options: SpaceOptions;
  readonly #refused = new Map<string, RefusedCopy>();
  #refusedBytes = 0;
  #freeBytes = 0;
  #state: DiskState = DISK_AT_START;

  constructor(options: SpaceOptions) {
    this.#options = options;
  }

  get state(): DiskStateName {
    return this.#state.name;
  }

  /** As measured last. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  takes(priority: Priority): boolean {
    return isTaken(this.#state, priority);
  }

  /** Looks at the disk. @throws FleetError RECORD_WRITE */
  async measure(): Promise<void> {
    const { files, ballast, index, clock } = this.#options;
    this.#freeBytes = await files.freeBytes();
    await ballast.refill(this.#freeBytes);
    const usedBytes = index.bytes + this.#refusedBytes;
    this.#step({ kind: 'measured', usedBytes, freeBytes: this.#freeBytes, nowMs: clock.monotonicMs() });
  }

  written(): void {
    this.#step({ kind: 'written' });
  }

  failed(): void {
    this.#step({ kind: 'failed', nowMs: this.#options.clock.monotonicMs() });
  }

  addRefused(copy: RefusedCopy): void {
    this.removeRefused(copy.eventId);
    this.#refused.set(copy.eventId, copy);
    this.#refusedBytes += copy.sizeBytes;
  }

  removeRefused(eventId: string): void {
    const copy = this.#refused.get(eventId);
    if (copy === undefined || !this.#refused.delete(eventId)) return;
    this.#refusedBytes -= copy.sizeBytes;
  }

  /**
   * What must go for a recording that is written already but not yet named. It takes the place of a shorter one of its event when
   * there is one, which does not have to make room for itself.
   */
  planFor(recording: { readonly id: string; readonly priority: Priority }, sizeBytes: number): EvictionPlan {
    const { index, limits } = this.#options;
    const replaced = index.entry(recording.id);
    const replacedBytes = replaced?.sizeBytes ?? 0;
    const used = {
      bytes: index.bytes + this.#refusedBytes - replacedBytes,
      safetyBytes: index.safetyBytes - (replaced?.priority === 'safety' ? replacedBytes : 0),
    };
    const newcomer = { priority: recording.priority, sizeBytes, freeBytes: this.#freeBytes };
    return planEviction(this.#candidates(recording.id), newcomer, missingBytes(used, newcomer, limits));
  }

  /** What must go so that the disk takes this priority again; below the reserve only what matters less makes room. */
  planRelief(recording: { readonly id: string; readonly priority: Priority }): EvictionPlan {
    const { clock, limits } = this.#options;
    const { priority } = recording;
    const now = { freeBytes: this.#freeBytes, nowMs: clock.monotonicMs() };
    const neededBytes = bytesUntilTaken(this.#state, priority, now, limits);
    if (neededBytes === undefined) return { kind: 'refused' };
    const less = this.#candidates(recording.id).filter(
      (each) => each.state === 'refused' || mattersMore(priority, each.priority),
    );
    return planEviction(less, { priority, sizeBytes: 0, freeBytes: this.#freeBytes }, neededBytes);
  }

  /** The one that goes first so that a write on a full disk can go on; undefined when all that is there matters more. */
  firstToGo(recording: { readonly id: string; readonly priority: Priority }): string | undefined {
    const newcomer = { priority: recording.priority, sizeBytes: 1, freeBytes: 0 };
    const plan = planEviction(this.#candidates(recording.id), newcomer, 1);
    return plan.kind === 'fits' ? plan.evict[0] : undefined;
  }

  #candidates(exceptId: string): EvictionCandidate[] {
    const refused = [...this.#refused.values()].map(
      (copy): EvictionCandidate => ({ ...copy, order: 0, state: 'refused', isSettled: true }),
    );
    const queued = this.#options.index
      .entries()
      .filter((entry) => entry.eventId !== exceptId)
      .map(({ eventId, priority, sizeBytes, order, isSettled, storedAt }): EvictionCandidate => {
        const state = storedAt === undefined ? 'queued' : 'stored';
        return { eventId, priority, sizeBytes, order, isSettled, state };
      });
    return [...refused, ...queued];
  }

  #step(input: DiskInput): void {
    const { limits, logger } = this.#options;
    const before = this.#state.name;
    this.#state = stepDisk(this.#state, input, limits);
    const { name: state } = this.#state;
    if (state === before) return;
    const level = state === 'normal' ? 'info' : 'warn';
    logger[level]({ state, before, freeBytes: this.#freeBytes }, 'spool.disk.changed');
  }
}
