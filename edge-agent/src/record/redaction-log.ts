/** Counts what redaction did, so that each recording can say it. Counted per second and bounded: an hour back, and a little more. */
import type { RedactionRecord } from '@fleetloop/schemas';
import type { RedactionRule } from './redaction-rules.ts';

const NS_PER_SECOND = 1_000_000_000n;
/** The longest event is an hour, and its pre-window comes before it. */
const SECONDS_MAX = 4_000;

type Counted = {
  readonly rule: string;
  readonly kind: RedactionRule['kind'];
  readonly topic: string;
  readonly counts: Map<number, number>;
};

export class RedactionLog {
  readonly #counted = new Map<string, Counted>();

  add(rule: Pick<RedactionRule, 'name' | 'kind'>, topic: string, timeNs: bigint): void {
    const key = `${rule.name} ${topic}`;
    let counted = this.#counted.get(key);
    if (counted === undefined) {
      counted = { rule: rule.name, kind: rule.kind, topic, counts: new Map() };
      this.#counted.set(key, counted);
    }
    const second = Number(timeNs / NS_PER_SECOND);
    counted.counts.set(second, (counted.counts.get(second) ?? 0) + 1);
    const [oldest] = counted.counts.keys();
    if (counted.counts.size > SECONDS_MAX && oldest !== undefined) counted.counts.delete(oldest);
  }

  /** What was applied to messages of the interval, in whole seconds. */
  between(startNs: bigint, endNs: bigint): readonly RedactionRecord[] {
    const [first, last] = [Number(startNs / NS_PER_SECOND), Number(endNs / NS_PER_SECOND)];
    return [...this.#counted.values()].flatMap(({ rule, kind, topic, counts }) => {
      const messages = sumBetween(counts, first, last);
      return messages === 0 ? [] : [{ rule, kind, topic, messages }];
    });
  }

  clear(): void {
    this.#counted.clear();
  }
}

/** An interval may be a second or an hour: what is shorter is gone through. */
function sumBetween(counts: ReadonlyMap<number, number>, first: number, last: number): number {
  let sum = 0;
  if (last - first < counts.size) for (let second = first; second <= last; second += 1) sum += counts.get(second) ?? 0;
  else for (const [second, count] of counts) if (second >= first && second <= last) sum += count;
  return sum;
}
