/** What a recording of an event says about itself. */
import type { Channel, EventId, RecordingMetadata, SourceMessage } from '@fleetloop/schemas';
import { stampResolutionNs } from './clock-resolution.ts';
import type { EventWindow } from './event-windows.ts';
import { countLosses, type Gap } from './gaps.ts';

/** Who records. */
export type RecordedBy = Pick<RecordingMetadata, 'vehicle' | 'software'>;

/** What is known of a session when it starts. */
export type SessionStart = {
  readonly session: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly channels: readonly Channel[];
};

type EventParts = {
  readonly id: EventId;
  readonly window: EventWindow;
  readonly gaps: readonly Gap[];
  readonly messages: Iterable<SourceMessage>;
  readonly continues?: EventId;
  readonly brief?: string;
};

/** Puts the metadata of one event together. */
export function eventMetadata(by: RecordedBy, session: SessionStart, parts: EventParts): RecordingMetadata {
  const { id, window, gaps, messages, continues, brief } = parts;
  return {
    vehicle: by.vehicle,
    software: by.software,
    session: { name: session.session, attributes: { ...session.attributes } },
    // The stamps are the source's own; they cannot be finer than the step in which they come.
    clock: { source: 'session', uncertaintyNs: stampResolutionNs(messages).toString() },
    event: {
      id,
      startNs: window.startNs.toString(),
      endNs: window.endNs.toString(),
      triggers: window.triggers.map(({ campaignId, timeNs }) => ({ campaign: campaignId, timeNs: timeNs.toString() })),
      campaigns: [...window.campaignIds],
      ...(continues === undefined ? {} : { continues }),
    },
    gaps: gaps.map(({ topic, fromNs, toNs }) => ({ topic, fromNs: fromNs.toString(), toNs: toNs.toString() })),
    loss: { ...countLosses(messages) },
    ...(brief === undefined ? {} : { brief }),
  };
}
