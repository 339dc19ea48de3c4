/** What a salvage kept, what it put right and what it could not: figures and places, bounded however much is damaged. */
import type { FlippedBit } from './salvage-unpack.ts';

/** Places that a report names; those beyond are counted. */
export const SALVAGE_PLACES_MAX = 1_000;

/** How far from the last message one may lie that stands alone between damage. */
const NEAR_NS = 600_000_000_000n;

/** A part of the file that was not kept whole. Stamps are ns, as decimal strings. */
export type SalvageLoss = {
  readonly fromByte: number;
  readonly toByte: number;
  readonly what: string;
  /** Times that the part claims to cover, where an index or its own head tells. */
  readonly startNs?: string;
  readonly endNs?: string;
  /** The last message kept before it and the first behind it, in the order of the file. */
  readonly afterNs?: string;
  readonly beforeNs?: string;
  /** Messages lost per topic, where an index tells. */
  readonly topics?: Readonly<Record<string, number>>;
  /** Messages of this part that were kept although no checksum vouches for them. */
  readonly keptUnproven?: number;
};

export type SalvageReport = {
  /** Whether nothing was wrong with the file. */
  readonly isWhole: boolean;
  readonly sizeBytes: number;
  readonly kept: {
    readonly messages: number;
    readonly attachments: number;
    readonly metadata: number;
    readonly topics: Readonly<Record<string, number>>;
  };
  /** Messages kept as they stand: no checksum is there, or right, that vouches for their bytes. */
  readonly unproven: number;
  /** Single bits that a CRC told how to put right: the chunk and the byte in its unpacked records. Its messages count as unproven: the bit may be another. */
  readonly repaired: readonly (FlippedBit & { readonly chunkByte: number })[];
  /** Messages by the statistics of the file, where those are intact. */
  readonly expected: number | null;
  /** Messages lost per topic and together; null where nothing tells how many there were. */
  readonly lost: { readonly messages: number | null; readonly topics: Readonly<Record<string, number>> };
  readonly losses: readonly SalvageLoss[];
  /** All losses, also those beyond the maximum that the list keeps. */
  readonly lossCount: number;
};

type OpenLoss = SalvageLoss & { beforeNs?: string };

export class SalvageTally {
  readonly #topics = new Map<string, number>();
  readonly #lostTopics = new Map<string, number>();
  readonly #losses: OpenLoss[] = [];
  readonly #repaired: (FlippedBit & { readonly chunkByte: number })[] = [];
  #lossCount = 0;
  #lastNs: bigint | undefined;
  /** Losses from here on wait for the first message behind them. */
  #open = 0;
  messages = 0;
  attachments = 0;
  metadata = 0;
  unproven = 0;

  /** Times that are believable for the next message: those around the last one kept. */
  get timesNear(): { readonly startNs: bigint; readonly endNs: bigint } | undefined {
    if (this.#lastNs === undefined) return undefined;
    return { startNs: this.#lastNs - NEAR_NS, endNs: this.#lastNs + NEAR_NS };
  }

  get isSpotless(): boolean {
    return this.#lossCount === 0 && this.#repaired.length === 0;
  }

  message(topic: string, logTimeNs: bigint, isProven: boolean): void {
    this.messages += 1;
    if (!isProven) this.unproven += 1;
    this.#topics.set(topic, (this.#topics.get(topic) ?? 0) + 1);
    this.#lastNs = logTimeNs;
    for (; this.#open < this.#losses.length; this.#open += 1) {
      const loss = this.#losses[this.#open];
      if (loss !== undefined) loss.beforeNs = String(logTimeNs);
    }
  }

  loss(loss: SalvageLoss): void {
    this.#lossCount += 1;
    for (const [topic, count] of Object.entries(loss.topics ?? {}))
      this.#lostTopics.set(topic, (this.#lostTopics.get(topic) ?? 0) + count);
    if (this.#losses.length >= SALVAGE_PLACES_MAX) return;
    this.#losses.push({ ...loss, ...(this.#lastNs === undefined ? {} : { afterNs: String(this.#lastNs) }) });
  }

  repaired(chunkByte: number, flipped: FlippedBit): void {
    if (this.#repaired.length < SALVAGE_PLACES_MAX) this.#repaired.push({ chunkByte, ...flipped });
  }

  /** `expected` are the messages per topic by the statistics of the file. */
  report(sizeBytes: number, expected: ReadonlyMap<string, number> | undefined): SalvageReport {
    const lost = new Map(this.#lostTopics);
    if (expected !== undefined) {
      lost.clear();
      for (const [topic, count] of expected) {
        const missing = count - (this.#topics.get(topic) ?? 0);
        if (missing > 0) lost.set(topic, missing);
      }
    }
    const sum = (counts: Iterable<number>): number => [...counts].reduce((total, count) => total + count, 0);
    // Statistics that name more than there is are a witness of damage that shows nowhere else.
    const isWhole = this.isSpotless && lost.size === 0;
    const isKnown = expected !== undefined || isWhole || this.#losses.every(({ topics }) => topics !== undefined);
    return {
      isWhole,
      sizeBytes,
      kept: {
        messages: this.messages,
        attachments: this.attachments,
        metadata: this.metadata,
        topics: sorted(this.#topics),
      },
      unproven: this.unproven,
      repaired: this.#repaired,
      expected: expected === undefined ? null : sum(expected.values()),
      lost: { messages: isKnown ? sum(lost.values()) : null, topics: sorted(lost) },
      losses: this.#losses,
      lossCount: this.#lossCount,
    };
  }
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
