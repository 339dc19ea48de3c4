/** Turns the closing of windows of one session into recordings, and says what becomes of those that were closed early. */
import type { EventId, RecordingCut } from '@fleetloop/schemas';
import type { ClaimingCampaigns } from './claiming-campaigns.ts';
import type { ClosingStep } from './early-closing.ts';
import type { IntervalFacts, SessionStart } from './event-metadata.ts';
import type { EventWindow } from './event-windows.ts';
import { PublishedRecordings } from './published-recordings.ts';
import type { RecorderEffect } from './recorder-effects.ts';
import type { RecordingBuilder } from './recording-builder.ts';
import type { SessionRing } from './session-ring.ts';
import type { StoredSession } from './stored-session.ts';
import { topicPlanOf } from './topic-plan.ts';
import type { TopicTally } from './topic-tally.ts';

const NOTHING: readonly RecorderEffect[] = [];

export type EventCloserOptions = {
  readonly session: SessionStart;
  readonly ring: SessionRing;
  /** The session on disk, if it is kept there. */
  readonly stored: StoredSession | undefined;
  readonly builder: RecordingBuilder;
  readonly campaigns: ClaimingCampaigns;
  readonly tally: TopicTally;
  readonly facts: IntervalFacts;
};

/** Events are cut short here; what is pending from here on continues them. */
export type Cut = { readonly why: RecordingCut; readonly pending: readonly EventWindow[] };

export class EventCloser {
  readonly #options: EventCloserOptions;
  readonly #published: PublishedRecordings;

  constructor(options: EventCloserOptions) {
    this.#options = options;
    this.#published = new PublishedRecordings((window) => options.stored?.recorded(window));
  }

  follow(steps: readonly ClosingStep[], cut?: Cut): readonly RecorderEffect[] {
    return steps.flatMap((step): readonly RecorderEffect[] => {
      const eventId = this.#idOf(step.window);
      if (step.kind === 'close') return this.#close(step, cut);
      if (!this.#published.has(eventId)) return NOTHING;
      if (step.kind === 'settle') {
        this.#options.tally.keep(this.#published.settle(eventId));
        return [{ kind: 'settle', eventId }];
      }
      this.#published.withdraw(eventId);
      return [{ kind: 'withdraw', eventId, into: this.#idOf(step.into) }];
    });
  }

  #close(
    { window, isSettled }: ClosingStep & { readonly kind: 'close' },
    cut: Cut | undefined,
  ): readonly RecorderEffect[] {
    const { ring, session, builder, tally, facts } = this.#options;
    const campaigns = this.#options.campaigns.of(window);
    const plan = topicPlanOf(campaigns);
    const span = { start: ring.offsetOf(window.startNs), end: ring.offsetOf(window.endNs) };
    const selection = ring.select(span, plan);
    const eventId = this.#idOf(window);
    const kept = new Map([...selection.kept].map(([id, count]) => [ring.channels.at(id).topic, count]));
    const released = this.#published.add(eventId, window, kept);
    if (isSettled) tally.keep(this.#published.settle(eventId));
    // A part of a cut chain may hold nothing at all.
    if (selection.messages === 0 && window.triggers.length === 0) {
      this.#published.withdraw(eventId);
      released();
      return NOTHING;
    }
    const isCut = cut?.pending.some((event) => event.startNs === window.endNs + 1n) === true;
    const recording = builder.build(
      { base: ring.base, channels: ring.channels, session, facts },
      {
        window,
        plan,
        selection,
        campaigns,
        released,
        context: ring.latched.before(span.start, plan),
        ...(isCut ? { cut: cut.why } : {}),
      },
    );
    return [{ kind: 'close', recording, isSettled }];
  }

  #idOf(window: EventWindow): EventId {
    const { builder, session } = this.#options;
    return builder.idOf(session.session, window);
  }
}
