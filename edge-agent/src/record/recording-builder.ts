/** Makes recordings of windows: chooses the messages, describes them, and holds on to the blocks until they are written. */
import { type EventId, PRIORITIES, type Priority, type PullRequest, type RecordingCut } from '@fleetloop/schemas';
import { eventIdOf } from './event-id.ts';
import { eventMetadata, gapsOf, type IntervalFacts, type RecordedBy, type SessionStart } from './event-metadata.ts';
import { anchorOf, type EventWindow } from './event-windows.ts';
import type { ContextRecord } from './latched-context.ts';
import type { ClosedRecording, RecordedCampaign } from './recorder-effects.ts';
import { writeRecordingFile } from './recording-file.ts';
import type { Ground, Selection } from './selection.ts';
import type { TopicPlan } from './topic-plan.ts';

/** Where a recording comes from. */
export type RecordingSource = Ground & {
  readonly session: SessionStart;
  readonly facts: IntervalFacts;
};

export type RecordingRequest = {
  readonly window: EventWindow;
  readonly plan: TopicPlan;
  readonly selection: Selection;
  readonly context: readonly ContextRecord[];
  readonly campaigns: readonly RecordedCampaign[];
  readonly cut?: RecordingCut;
  readonly pull?: PullRequest;
  readonly released?: () => void;
};

export class RecordingBuilder {
  readonly #by: RecordedBy;

  constructor({ vehicle, software }: RecordedBy) {
    this.#by = { vehicle, software };
  }

  idOf(session: string, window: EventWindow): EventId {
    return eventIdOf(this.#by.vehicle.id, session, anchorOf(window));
  }

  build(source: RecordingSource, request: RecordingRequest): ClosedRecording {
    const { session, channels, base } = source;
    const { window, selection, context, campaigns, pull, cut } = request;
    const name = pull === undefined ? session.session : `${session.session}#pull:${pull.id}`;
    const idAt = (anchorNs: bigint): EventId => eventIdOf(this.#by.vehicle.id, name, anchorNs);
    const id = idAt(anchorOf(window));
    const priority = pull?.priority ?? highestPriority(campaigns);
    const brief = campaigns.find((campaign) => campaign.brief !== undefined)?.brief;
    const parts = {
      window,
      plan: request.plan,
      selection,
      context,
      base,
      channels,
      id,
      idAt,
      priority,
      noticed: source.facts.quality?.(window.startNs, window.endNs) ?? {},
      ...(brief === undefined ? {} : { brief }),
      ...(cut === undefined ? {} : { cut }),
      ...(pull === undefined ? {} : { pull: pull.id }),
    };
    const gaps = gapsOf(session, parts);
    const metadata = eventMetadata(this.#by, session, { ...parts, gaps }, source.facts);
    const { startNs, endNs, campaignIds, triggers } = window;
    const within = campaigns.flatMap((campaign) => campaign.uploadWithinMs ?? []);
    return {
      id,
      session: session.session,
      startNs,
      endNs,
      campaignIds,
      triggers,
      gaps,
      metadata,
      priority,
      messages: selection.messages + context.length,
      ...(within.length === 0 ? {} : { uploadWithinMs: Math.min(...within) }),
      write: async (sink) =>
        writeRecordingFile(sink, {
          metadata,
          channels,
          context,
          startNs,
          pieces: selection.pieces,
          channelIds: selection.kept.keys(),
        }),
      release: holdBlocks(selection, request.released),
    };
  }
}

/** The blocks stay readable until the returned function is called. */
function holdBlocks({ pieces }: Selection, released: (() => void) | undefined): () => void {
  for (const { block } of pieces) block.holders += 1;
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    for (const { block } of pieces) block.holders -= 1;
    released?.();
  };
}

function highestPriority(campaigns: readonly RecordedCampaign[]): Priority {
  return PRIORITIES.find((priority) => campaigns.some((campaign) => campaign.priority === priority)) ?? 'normal';
}
