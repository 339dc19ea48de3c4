/** What a recording of an event says about itself. */
import type {
  AlignmentRecord,
  Channel,
  ChannelQuality,
  EventId,
  Priority,
  RecordingClock,
  RecordingCut,
  RecordingMetadata,
  RedactionRecord,
} from '@fleetloop/schemas';
import type { ChannelTable } from './channel-table.ts';
import { stampResolutionNs } from './clock-resolution.ts';
import type { EventWindow } from './event-windows.ts';
import { findSilences, type Gap } from './gaps.ts';
import type { ContextRecord } from './latched-context.ts';
import { offsetOf, type TimeBase, timeAt } from './message-record.ts';
import type { Selection } from './selection.ts';
import { type TopicPlan, wants } from './topic-plan.ts';

/** Who records. */
export type RecordedBy = Pick<RecordingMetadata, 'vehicle' | 'software'>;

/** What is known of a session when it starts. */
export type SessionStart = {
  readonly session: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly channels: readonly Channel[];
};

/** What others know of an interval; all of it is optional. Times are ns on the session's clock, both ends included. */
export type IntervalFacts = {
  /** Samples and steps of the clocks, and how sources with their own clock were converted. */
  readonly clock?: (startNs: bigint, endNs: bigint) => Partial<RecordingClock>;
  readonly quality?: (startNs: bigint, endNs: bigint) => IntervalQuality;
  readonly redactions?: (startNs: bigint, endNs: bigint) => readonly RedactionRecord[];
};

export type IntervalQuality = {
  readonly quality?: readonly ChannelQuality[];
  readonly alignment?: readonly AlignmentRecord[];
  /** Silences that the recorder cannot see by itself. */
  readonly gaps?: readonly Gap[];
};

export type EventParts = {
  readonly window: EventWindow;
  readonly plan: TopicPlan;
  readonly selection: Selection;
  readonly context: readonly ContextRecord[];
  readonly base: TimeBase;
  readonly channels: ChannelTable;
  readonly idAt: (anchorNs: bigint) => EventId;
  readonly id: EventId;
  readonly priority: Priority;
  /** What others noticed in the interval. */
  readonly noticed: IntervalQuality;
  readonly cut?: RecordingCut;
  readonly brief?: string;
  readonly pull?: string;
};

/** Gaps of an event: silences of each wanted topic, in the order of the topics' names. */
export function gapsOf(session: SessionStart, parts: EventParts): readonly Gap[] {
  const { base, window, plan, selection, channels } = parts;
  const rates = new Map<string, number | undefined>();
  for (const { topic, rateHz } of session.channels) if (wants(plan, topic)) rates.set(topic, rateHz);
  for (const topic of selection.topics.keys()) rates.set(topic, channels.at(channels.idsOf(topic).at(-1) ?? 0).rateHz);
  const span = { start: offsetOf(base, window.startNs), end: offsetOf(base, window.endNs) };
  const found = [...rates]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([topic, rateHz]) => {
      const times = selection.topics.get(topic)?.ascending() ?? new Float64Array();
      return findSilences(times, rateHz, span).map(
        ({ start, end }): Gap => ({
          topic,
          fromNs: timeAt(base, start),
          toNs: timeAt(base, end),
        }),
      );
    });
  return [...found, ...(parts.noticed.gaps ?? [])];
}

/** Puts the metadata of one event together. */
export function eventMetadata(
  by: RecordedBy,
  session: SessionStart,
  parts: EventParts & { readonly gaps: readonly Gap[] },
  facts: IntervalFacts,
): RecordingMetadata {
  const { window, selection, base, gaps, brief, pull } = parts;
  const { startNs, endNs } = window;
  const stamps = [...selection.topics.values()].map((times) => times.ascending());
  const { quality = [], alignment = [] } = parts.noticed;
  const redactions = facts.redactions?.(startNs, endNs) ?? [];
  return {
    vehicle: by.vehicle,
    software: by.software,
    session: { name: session.session, attributes: { ...session.attributes } },
    clock: {
      // The stamps are the source's own; they cannot be finer than the step in which they come.
      source: 'session',
      uncertaintyNs: stampResolutionNs(stamps, base).toString(),
      ...facts.clock?.(startNs, endNs),
    },
    event: eventRecord(parts),
    gaps: gaps.map(({ topic, fromNs, toNs }) => ({ topic, fromNs: fromNs.toString(), toNs: toNs.toString() })),
    loss: Object.fromEntries(
      [...selection.topics].filter(([, { lost }]) => lost > 0).map(([topic, { lost }]) => [topic, lost]),
    ),
    ...(quality.length === 0 ? {} : { quality: [...quality] }),
    ...(alignment.length === 0 ? {} : { alignment: [...alignment] }),
    ...(redactions.length === 0 ? {} : { redactions: [...redactions] }),
    ...contextRecords(parts),
    ...decimationRecords(parts),
    ...(pull === undefined ? {} : { pull }),
    ...(brief === undefined ? {} : { brief }),
  };
}

function eventRecord({ window, id, idAt, priority, cut }: EventParts): RecordingMetadata['event'] {
  return {
    id,
    startNs: window.startNs.toString(),
    endNs: window.endNs.toString(),
    triggers: window.triggers.map(({ campaignId, timeNs }) => ({ campaign: campaignId, timeNs: timeNs.toString() })),
    campaigns: [...window.campaignIds],
    priority,
    ...(window.continuesNs === undefined ? {} : { continues: idAt(window.continuesNs) }),
    ...(cut === undefined ? {} : { cut }),
  };
}

function contextRecords({ context, base }: EventParts): Pick<RecordingMetadata, 'context'> {
  if (context.length === 0) return {};
  return { context: context.map(({ topic, time }) => ({ topic, timeNs: timeAt(base, time).toString() })) };
}

/** Of topics that the recording holds. */
function decimationRecords({ plan, selection }: EventParts): Pick<RecordingMetadata, 'decimation'> {
  const thinned = [...plan.ratesHzMax].filter(([topic]) => selection.topics.has(topic));
  if (thinned.length === 0) return {};
  return { decimation: thinned.map(([topic, rateHzMax]) => ({ topic, rateHzMax })) };
}
