/** Which segments of the ring are on disk, how much room they take, and which of them may go. */
import type { AgentClock, Disk } from '../ports.ts';
import type { RecordBlock } from './record-block.ts';
import type { FoundSegment } from './ring-scan.ts';
import type { StoredSession } from './stored-session.ts';

export type RingSegment = {
  readonly path: string;
  readonly blocks: { readonly session: StoredSession; readonly block: RecordBlock }[];
  sizeBytes: number;
  writtenAtMs: number;
};

export type RingSegmentsOptions = {
  readonly disk: Disk;
  readonly clock: AgentClock;
  readonly quotaBytes: number;
  readonly ageMsMax: number;
  /** Blocks have left the ring. */
  readonly onFreed: () => void;
};

export class RingSegments {
  readonly #options: RingSegmentsOptions;
  readonly #segments: RingSegment[] = [];
  /** Being written: it stays. */
  #open: RingSegment | undefined;

  constructor(options: RingSegmentsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#segments.length;
  }
  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  }

  /** Of a former boot. */
  take({ path, sizeBytes, blocks }: FoundSegment): void {
    this.#segments.push({ path, sizeBytes, blocks: [...blocks], writtenAtMs: this.#options.clock.monotonicMs() });
  }

  /** One that is written from now on. */
  begin(path: string): RingSegment {
    const segment = { path, blocks: [], sizeBytes: 0, writtenAtMs: this.#options.clock.monotonicMs() };
    this.#segments.push(segment);
    this.#open = segment;
    return segment;
  }

  /** The open one is written. */
  end(): void {
    this.#open = undefined;
  }

  /**
   * Frees what is old and not needed, and what is over the quota as far as nothing has claimed it; false when that does not bring
   * the ring within its quota. @throws the disk's own errors
   */
  async free(): Promise<boolean> {
    const { clock, ageMsMax, quotaBytes } = this.#options;
    const nowMs = clock.monotonicMs();
    const old = this.#closed().filter(
      (segment) =>
        nowMs - segment.writtenAtMs > ageMsMax && !segment.blocks.some(({ session, block }) => session.isNeeded(block)),
    );
    for (const segment of old) await this.#remove(segment);
    while (this.sizeBytes > quotaBytes)
      if (!(await this.#removeFirst(({ session, block }) => session.isClaimed(block)))) break;
    return this.sizeBytes <= quotaBytes;
  }

  /** Frees the oldest that neither an event nor a pre-window needs, if there is one. @throws the disk's own errors */
  async freeUnneeded(): Promise<void> {
    await this.#removeFirst(({ session, block }) => session.isNeeded(block));
  }

  async #removeFirst(isKept: (stored: RingSegment['blocks'][number]) => boolean): Promise<boolean> {
    const free = this.#closed().find((segment) => !segment.blocks.some(isKept));
    if (free === undefined) return false;
    await this.#remove(free);
    return true;
  }

  async #remove(segment: RingSegment): Promise<void> {
    for (const { session, block } of segment.blocks) {
      block.isDropped = true;
      const index = session.blocks.indexOf(block);
      if (index !== -1) session.blocks.splice(index, 1);
    }
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    this.#options.onFreed();
    await this.#options.disk.remove(segment.path);
  }

  #closed(): readonly RingSegment[] {
    return this.#segments.filter((segment) => segment !== this.#open);
  }
}
