/** Which topics the recording of an event keeps, and how many of their messages, when several campaigns claim it. */
import type { Campaign } from '@fleetloop/schemas';

export type TopicWish = Pick<Campaign, 'topics' | 'decimation'>;

export type TopicPlan = {
  /** Absent keeps all. */
  readonly topics?: ReadonlySet<string>;
  /** Most messages per second of topics of which fewer are enough. */
  readonly ratesHzMax: ReadonlyMap<string, number>;
};

export const ALL_TOPICS: TopicPlan = { ratesHzMax: new Map() };

/** Everything that any of them wants, as fine as the finest wants it. */
export function topicPlanOf(wishes: readonly TopicWish[]): TopicPlan {
  const wanted = wishes.map((wish) => wish.topics);
  const all = wanted.includes(undefined) || wanted.length === 0;
  const ratesHzMax = new Map<string, number>();
  for (const topic of new Set(wishes.flatMap(({ decimation = [] }) => decimation.map((each) => each.topic)))) {
    const rates = wishes.filter((wish) => wish.topics?.includes(topic) ?? true).map((wish) => rateOf(wish, topic));
    const finest = Math.max(...rates);
    if (rates.length > 0 && Number.isFinite(finest)) ratesHzMax.set(topic, finest);
  }
  return all ? { ratesHzMax } : { topics: new Set(wanted.flatMap((topics) => topics ?? [])), ratesHzMax };
}

/** The finest of what one campaign says of a topic; without a word it wants every message. */
function rateOf({ decimation = [] }: TopicWish, topic: string): number {
  const rates = decimation.filter((each) => each.topic === topic).map((each) => each.rateHzMax);
  return rates.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...rates);
}

export const wants = (plan: TopicPlan, topic: string): boolean => plan.topics?.has(topic) ?? true;
