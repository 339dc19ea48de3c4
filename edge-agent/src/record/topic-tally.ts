/** Counts the messages of each topic: those that were seen, and those that are in recordings. Changed in place: every message passes. */

/** Messages seen and kept per topic, over all sessions. */
export type TopicCounts = ReadonlyMap<string, { readonly seen: number; readonly kept: number }>;

export class TopicTally {
  readonly #topics = new Map<string, { seen: number; kept: number }>();

  get counts(): TopicCounts {
    return this.#topics;
  }

  see(topic: string): void {
    const counts = this.#topics.get(topic);
    if (counts === undefined) this.#topics.set(topic, { seen: 1, kept: 0 });
    else counts.seen += 1;
  }

  keep(kept: ReadonlyMap<string, number>): void {
    for (const [topic, count] of kept) {
      const counts = this.#topics.get(topic);
      if (counts !== undefined) counts.kept += count;
    }
  }
}
