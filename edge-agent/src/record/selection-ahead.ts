/**
 * Looks through the blocks of events that are still open, a few each time one is sealed, so that closing an event has only its last
 * blocks left to look at. What comes out is what a selection made in one go would give.
 */
import type { Span } from './gaps.ts';
import type { RecordBlock } from './record-block.ts';
import { type Ground, type Selection, Selector } from './selection.ts';
import type { TopicPlan } from './topic-plan.ts';

/** Events that are looked through ahead; others are when they close. */
const EVENTS_MAX = 4;
/** Blocks that are looked through at a time: less than a millisecond. */
const BLOCKS_PER_STEP = 4;

/** What an open event will select. */
export type Prospect = { readonly span: Span; readonly plan: TopicPlan };

type Progress = {
  readonly key: string;
  readonly start: number;
  readonly selector: Selector;
  lastBlock: RecordBlock | undefined;
  /** Latest time of the blocks that were looked at: an end before it comes too late. */
  latest: number;
};

export class SelectionAhead {
  readonly #ground: Ground;
  #progress: Progress[] = [];

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** Goes on with each of the events; what is none of them any more is forgotten. */
  advance(prospects: readonly Prospect[], blocks: readonly RecordBlock[]): void {
    const keyed = prospects.slice(0, EVENTS_MAX).map((prospect) => ({ ...prospect, key: keyOf(prospect) }));
    this.#progress = keyed.map(({ key, span, plan }) => {
      const progress = this.#usable(key, span, blocks) ?? this.#begin(key, span, plan);
      progress.selector.extendTo(span.end);
      const next = nextOf(progress, blocks);
      for (const block of blocks.slice(next, next + BLOCKS_PER_STEP)) {
        // What lies behind the end now may be wanted later, and what comes behind it must wait for its turn.
        if (!block.isSealed || block.latest > span.end) break;
        take(progress, block);
      }
      return progress;
    });
  }

  /** The whole selection. */
  finish(prospect: Prospect, blocks: readonly RecordBlock[]): Selection {
    const key = keyOf(prospect);
    const progress = this.#usable(key, prospect.span, blocks) ?? this.#begin(key, prospect.span, prospect.plan);
    this.#progress = this.#progress.filter((each) => each.key !== key);
    progress.selector.extendTo(prospect.span.end);
    for (const block of blocks.slice(nextOf(progress, blocks))) take(progress, block);
    return progress.selector.finish();
  }

  /** What was looked at may be gone since, or lie behind an end that has come nearer, as that of a long event which is cut. */
  #usable(key: string, { end }: Span, blocks: readonly RecordBlock[]): Progress | undefined {
    const known = this.#progress.find((each) => each.key === key);
    const isUsable = known !== undefined && known.latest <= end && nextOf(known, blocks) >= 0;
    return isUsable && !known.selector.holdsDropped() ? known : undefined;
  }

  #begin(key: string, span: Span, plan: TopicPlan): Progress {
    return {
      key,
      start: span.start,
      selector: new Selector(this.#ground, span, plan),
      lastBlock: undefined,
      latest: Number.NEGATIVE_INFINITY,
    };
  }
}

function take(progress: Progress, block: RecordBlock): void {
  if (block.columns !== undefined && !block.isDropped) progress.selector.take(block, block.columns);
  progress.lastBlock = block;
  progress.latest = Math.max(progress.latest, block.latest);
}

/** Index of the first block that was not looked at; -1 when the last one that was is no longer there. */
function nextOf({ lastBlock, start }: Progress, blocks: readonly RecordBlock[]): number {
  if (lastBlock === undefined) {
    const first = blocks.findIndex((block) => block.latest >= start);
    return first === -1 ? blocks.length : first;
  }
  const last = blocks.lastIndexOf(lastBlock);
  return last === -1 ? -1 : last + 1;
}

/** The end may still move: it is no part of it. */
function keyOf({ span, plan }: Prospect): string {
  return JSON.stringify([span.start, plan.topics === undefined ? null : [...plan.topics], [...plan.ratesHzMax]]);
}
