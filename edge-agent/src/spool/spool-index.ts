/** What the spool knows, in memory: records of the journal go in, one after the other, and nothing else changes it. */
import { assertNever, PRIORITIES } from '@fleetloop/schemas';
import { INDEX_VERSION, type IndexRecord, MERGED_MAX } from './index-record.ts';
import { isLoss, type Outcome, type SpoolEntry, type TombstoneEntry, tombstoneId } from './spool-entry.ts';

/** Outcomes remembered; older ones are only counted. */
export const OUTCOMES_MAX = 20_000;
/** Tombstones that wait for the cloud; over it the oldest become one that counts them. */
export const TOMBSTONES_MAX = 5_000;
/** Campaigns and characters of a text that a counting tombstone still names. */
const MERGED_CAMPAIGNS_MAX = 64;
const ID_LENGTH_MAX = 64;

export type SpoolCounts = {
  readonly spooled: number;
  readonly spooledBytes: number;
  readonly verified: number;
  readonly refused: number;
  readonly evicted: number;
  /** Losses that the cloud has not confirmed yet. */
  readonly tombstonesWaiting: number;
};

export class SpoolIndex {
  readonly #entries = new Map<string, SpoolEntry>();
  readonly #outcomes = new Map<string, Outcome>();
  readonly #tombstones = new Map<string, TombstoneEntry>();
  readonly #ended = { verified: 0, refused: 0, evicted: 0 };
  #nextOrder = 0;
  #bytes = 0;
  #safetyBytes = 0;
  #listed: readonly SpoolEntry[] | undefined;

  get nextOrder(): number {
    return this.#nextOrder;
  }

  /** Bytes of the recordings that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  get safetyBytes(): number {
    return this.#safetyBytes;
  }

  /** Lines that it takes to write it all down. */
  get lines(): number {
    return 1 + this.#entries.size + this.#outcomes.size + this.#tombstones.size;
  }

  /** In the order of capture; the same array until something changes. */
  entries(): readonly SpoolEntry[] {
    this.#listed ??= [...this.#entries.values()].toSorted((a, b) => a.order - b.order);
    return this.#listed;
  }

  entry(eventId: string): SpoolEntry | undefined {
    return this.#entries.get(eventId);
  }

  outcome(eventId: string): Outcome | undefined {
    return this.#outcomes.get(eventId);
  }

  /** Oldest first. */
  tombstones(): readonly TombstoneEntry[] {
    return [...this.#tombstones.values()];
  }

  isWaitingToBeTold(id: string): boolean {
    return this.#tombstones.has(id);
  }

  /** The event whose recording has a digest that begins like this. */
  eventOf(digest: string): string | undefined {
    for (const entry of this.#entries.values()) if (entry.digest.startsWith(digest)) return entry.eventId;
    for (const outcome of this.#outcomes.values()) if (outcome.digest?.startsWith(digest) === true) return outcome.id;
    return undefined;
  }

  /**
   * The event that this one has become part of: a later trigger made one of the two, and power went before it was withdrawn. It does
   * not change any more, holds the start of this one, and all its campaigns; a pull has none.
   */
  holderOf({ eventId, session, startNs, campaignIds }: SpoolEntry): string | undefined {
    const isHolder = (id: string, other: SpoolEntry | Outcome): boolean =>
      id !== eventId &&
      other.session === session &&
      other.startNs <= startNs &&
      startNs <= other.endNs &&
      campaignIds.length > 0 &&
      campaignIds.every((campaign) => other.campaignIds.includes(campaign));
    for (const entry of this.#entries.values())
      if (entry.isSettled && isHolder(entry.eventId, entry)) return entry.eventId;
    for (const outcome of this.#outcomes.values())
      if (outcome.outcome === 'verified' && isHolder(outcome.id, outcome)) return outcome.id;
    return undefined;
  }

  counts(): SpoolCounts {
    return {
      spooled: this.#entries.size,
      spooledBytes: this.#bytes,
      ...this.#ended,
      tombstonesWaiting: this.#tombstones.size,
    };
  }

  /** `isResumed` says that the record was read at a start. */
  apply(record: IndexRecord, isResumed = false): void {
    switch (record.kind) {
      case 'spool':
        this.#nextOrder = Math.max(this.#nextOrder, record.nextOrder);
        for (const key of COUNTED) this.#ended[key] += record.forgotten[key];
        return;
      case 'entry': {
        const { kind: _, ...entry } = record;
        this.#put({ ...entry, isResumed });
        return;
      }
      case 'settled':
        for (const id of record.ids) this.#change(id, { isSettled: true });
        return;
      case 'stored':
        this.#change(record.id, { storedAt: record.relay });
        return;
      case 'outcome':
        this.#end(record);
        return;
      case 'told':
        this.#tombstones.delete(record.id);
        return;
      case 'merged':
        for (const id of record.ids) this.#tombstones.delete(id);
        this.#tombstones.set(record.into.eventId, record.into);
        return;
      default:
        assertNever(record);
    }
  }

  /** Takes an entry out without an outcome: its file is not what it says. Only for the start. */
  drop(eventId: string): void {
    const entry = this.#entries.get(eventId);
    if (entry === undefined) return;
    this.#entries.delete(eventId);
    this.#count(entry, -1);
  }

  /** Marks an entry as found at the start. */
  resume(eventId: string): void {
    this.#change(eventId, { isResumed: true });
  }

  /** The record that brings the tombstones back under their maximum, if they are over it. */
  mergeDue(): IndexRecord | undefined {
    if (this.#tombstones.size <= TOMBSTONES_MAX) return undefined;
    const oldest = this.tombstones().slice(0, MERGED_MAX);
    return { kind: 'merged', ids: oldest.map((each) => each.eventId), into: merge(oldest) };
  }

  /** All that it knows, as few records. */
  *records(): Generator<IndexRecord> {
    yield { kind: 'spool', version: INDEX_VERSION, nextOrder: this.#nextOrder, forgotten: this.#forgotten() };
    for (const { isResumed: _, ...entry } of this.#entries.values()) yield { kind: 'entry', ...entry };
    for (const outcome of this.#outcomes.values()) {
      const told = isLoss(outcome) && !this.#tombstones.has(tombstoneId(outcome)) ? { isTold: true } : {};
      yield { kind: 'outcome', ...outcome, ...told };
    }
    const ofOutcomes = new Set([...this.#outcomes.values()].map(tombstoneId));
    for (const into of this.#tombstones.values()) {
      if (!ofOutcomes.has(into.eventId)) yield { kind: 'merged', ids: [], into };
    }
  }

  #forgotten(): Record<Counted, number> {
    const remembered = [...this.#outcomes.values()];
    const count = (outcome: Counted): number =>
      this.#ended[outcome] - remembered.filter((each) => each.outcome === outcome).length;
    return { verified: count('verified'), refused: count('refused'), evicted: count('evicted') };
  }

  #put(entry: SpoolEntry): void {
    this.drop(entry.eventId);
    this.#forget(entry.eventId);
    this.#entries.set(entry.eventId, entry);
    this.#nextOrder = Math.max(this.#nextOrder, entry.order + 1);
    this.#count(entry, 1);
  }

  #change(id: string, change: Partial<SpoolEntry>): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.set(id, { ...entry, ...change });
    this.#listed = undefined;
  }

  /** A later line counts: one of an append that failed may have reached the disk all the same. */
  #forget(id: string): void {
    const ended = this.#outcomes.get(id);
    this.#outcomes.delete(id);
    this.#tombstones.delete(ended === undefined ? id : tombstoneId(ended));
    if (ended !== undefined && isCounted(ended.outcome)) this.#ended[ended.outcome] -= 1;
  }

  #end(record: Extract<IndexRecord, { kind: 'outcome' }>): void {
    const { kind: _, isTold, ...ended } = record;
    this.drop(ended.id);
    this.#forget(ended.id);
    this.#outcomes.set(ended.id, ended);
    if (isCounted(ended.outcome)) this.#ended[ended.outcome] += 1;
    if (isLoss(ended) && isTold !== true) this.#tombstones.set(tombstoneId(ended), tombstoneOf(ended));
    const [oldest] = this.#outcomes.keys();
    if (this.#outcomes.size > OUTCOMES_MAX && oldest !== undefined) this.#outcomes.delete(oldest);
  }

  #count(entry: SpoolEntry, sign: 1 | -1): void {
    this.#listed = undefined;
    this.#bytes += sign * entry.sizeBytes;
    if (entry.priority === 'safety') this.#safetyBytes += sign * entry.sizeBytes;
  }
}

const COUNTED = ['verified', 'refused', 'evicted'] as const;
type Counted = (typeof COUNTED)[number];
const isCounted = (outcome: string): outcome is Counted => (COUNTED as readonly string[]).includes(outcome);

function tombstoneOf(outcome: Outcome): TombstoneEntry {
  const { code = 'INTERNAL_UNEXPECTED', reason = '' } = outcome;
  const { digest, sizeBytes, priority, session, campaignIds, startNs, endNs, atMs } = outcome;
  const origin = { digest, sizeBytes, priority, session, campaignIds, startNs, endNs, atMs };
  return { eventId: tombstoneId(outcome), ...origin, code, reason, count: 1 };
}

/** One tombstone for many: nothing is forgotten but the single names. */
function merge(all: readonly TombstoneEntry[]): TombstoneEntry {
  const first = all[0];
  const last = all.at(-1);
  if (first === undefined || last === undefined) throw new Error('there is nothing to merge');
  const count = all.reduce((sum, each) => sum + each.count, 0);
  const [from, to] = [new Date(first.atMs).toISOString(), new Date(last.atMs).toISOString()];
  const starts = all.map((each) => each.startNs).filter((startNs) => startNs > 0n);
  return {
    eventId: `lost-${last.eventId.replace(/^lost-/, '')}`.slice(0, ID_LENGTH_MAX),
    digest: null,
    sizeBytes: all.reduce((sum, each) => sum + each.sizeBytes, 0),
    priority: PRIORITIES.find((priority) => all.some((each) => each.priority === priority)) ?? 'normal',
    session: last.session,
    campaignIds: [...new Set(all.flatMap((each) => each.campaignIds))].slice(0, MERGED_CAMPAIGNS_MAX),
    startNs: starts.reduce((lowest, each) => (each < lowest ? each : lowest), starts[0] ?? 0n),
    endNs: all.reduce((highest, each) => (each.endNs > highest ? each.endNs : highest), 0n),
    code: last.code,
    reason: `${count} recordings were given up between ${from} and ${to}; more than ${TOMBSTONES_MAX} were waiting to be told one by one`,
    atMs: last.atMs,
    count,
  };
}
