/** What was noticed of one channel, newest kept, counted for good. */

export type FindingKind = 'gaps' | 'duplicates' | 'out-of-order' | 'frozen';

export type Finding = {
  readonly kind: FindingKind;
  readonly fromNs: number;
  readonly toNs: number;
  /** Index of the signal within its channel, for `frozen`. */
  readonly signal: number | undefined;
};

/** Findings remembered per channel; a channel with more has a fault that the counts tell better. */
export const FINDINGS_MAX = 1_024;

export class FindingLog {
  #findings: Finding[] = [];
  readonly #counts: Record<FindingKind, number> = { gaps: 0, duplicates: 0, 'out-of-order': 0, frozen: 0 };
  readonly #lastNs = new Map<FindingKind, number>();

  add(kind: FindingKind, fromNs: number, toNs: number, signal?: number): void {
    this.#findings.push({ kind, fromNs, toNs, signal });
    // Halved and not shifted: a channel that repeats everything must not cost more than one that is well.
    if (this.#findings.length > FINDINGS_MAX) this.#findings = this.#findings.slice(FINDINGS_MAX / 2);
    this.#counts[kind] += 1;
    this.#lastNs.set(kind, toNs);
  }

  /** Findings that overlap an interval. */
  between(startNs: number, endNs: number): readonly Finding[] {
    return this.#findings.filter(({ fromNs, toNs }) => fromNs <= endNs && toNs >= startNs);
  }

  count(kind: FindingKind): number {
    return this.#counts[kind];
  }

  /** When a finding of the kind was seen last. */
  lastNs(kind: FindingKind): number | undefined {
    return this.#lastNs.get(kind);
  }
}
