/** The way of one message through monitor, triggers, redaction and record: the same on the road and in an offline replay. */
import type { SourceMessage } from '@fleetloop/schemas';
import { type Firing, makeTriggerEvaluator, type TriggerEvaluator } from '@fleetloop/schemas/trigger';
import { CampaignDesk, type CampaignDeskOptions } from '../campaign/campaign-desk.ts';
import { ChannelMonitor } from '../capture/channel-monitor.ts';
import type { Drive, InferenceResult } from '../ports.ts';
import { EventRecorder, type RecorderOptions } from '../record/event-recorder.ts';
import type { RecorderEffect } from '../record/recorder-effects.ts';
import type { Redactor } from '../record/redactor.ts';
import { makeModelMessages } from './model-messages.ts';

export type CaptureLineOptions = Omit<RecorderOptions, 'facts'> & {
  readonly campaigns?: CampaignDeskOptions;
  /** Without one everything is recorded as it comes. */
  readonly redactor?: Redactor;
};

/** Session time between two looks at what campaigns may do. */
const ADVANCE_NS = 100_000_000n;
/** Of a gap in which no topic is sure to be whole. */
const ALL_TOPICS = '*';

type SessionDrive = Pick<
  Drive,
  'session' | 'attributes' | 'channels' | 'isReplayable' | 'clockBetween' | 'dropoutsBetween'
>;
type Effects = readonly RecorderEffect[];

export class CaptureLine {
  readonly evaluator: TriggerEvaluator = makeTriggerEvaluator();
  readonly monitor = new ChannelMonitor();
  readonly recorder: EventRecorder;
  readonly campaigns: CampaignDesk;
  readonly #redactor: Redactor | undefined;
  #drive: SessionDrive | undefined;
  #toMessage = makeModelMessages();
  #advancedNs = 0n;

  constructor({ campaigns, redactor, ...recorder }: CaptureLineOptions) {
    this.#redactor = redactor;
    this.recorder = new EventRecorder({
      ...recorder,
      facts: {
        clock: (startNs, endNs) => this.#drive?.clockBetween?.(startNs, endNs) ?? {},
        quality: (startNs, endNs) => ({
          quality: this.monitor.quality(startNs, endNs),
          alignment: this.monitor.alignment(startNs, endNs),
          gaps: (this.#drive?.dropoutsBetween?.(startNs, endNs) ?? []).map((gap) => ({ topic: ALL_TOPICS, ...gap })),
        }),
        ...(redactor === undefined ? {} : { redactions: (startNs, endNs) => redactor.between(startNs, endNs) }),
      },
    });
    this.campaigns = new CampaignDesk(this.evaluator, this.recorder, campaigns);
  }

  startSession(drive: SessionDrive): void {
    const { session, channels, isReplayable } = drive;
    const attributes = this.#redactor?.attributes(drive.attributes) ?? drive.attributes;
    this.#drive = drive;
    this.evaluator.startSession();
    this.monitor.startSession(channels);
    this.#redactor?.startSession();
    this.recorder.startSession({ session, attributes, channels, isReplayable });
    this.#toMessage = makeModelMessages();
    this.#advancedNs = 0n;
  }

  /** What of a message may be written; a promise only where an image has to be worked on. */
  redact(message: SourceMessage): SourceMessage | undefined | Promise<SourceMessage | undefined> {
    return this.#redactor === undefined ? message : this.#redactor.apply(message);
  }

  /** One message of a sensor; returns what is to be done now. */
  push(message: SourceMessage): Effects {
    return this.pushRedacted(message, message);
  }

  /** Triggers see the message as it came, the recorder as it may be written. */
  pushRedacted(message: SourceMessage, kept: SourceMessage | undefined): Effects {
    this.monitor.push(message);
    // What time alone made true claims its window before the ring moves on.
    this.#claim(this.evaluator.tick(message.logTimeNs));
    const effects = kept === undefined ? this.recorder.tick(message.logTimeNs) : this.recorder.push(kept);
    this.#claim(this.evaluator.push(message));
    return effects;
  }

  /** One result of the model, as a message and as an input of campaigns. */
  pushInference(result: InferenceResult): Effects {
    const message = this.#toMessage(result);
    const kept = this.redact(message);
    // Only an image is worked on beside the capture, and an inference is none: the rule does not fit it, so it is kept out.
    const isKept = kept !== undefined && !(kept instanceof Promise);
    const effects = isKept ? this.recorder.push(kept) : this.recorder.tick(message.logTimeNs);
    this.#claim(this.evaluator.pushInference(result.inference));
    return effects;
  }

  /** Session time passes without a message. */
  tick(nowNs: bigint): Effects {
    this.monitor.tick(nowNs);
    this.#claim(this.evaluator.tick(nowNs));
    this.advance(nowNs);
    return this.recorder.tick(nowNs);
  }

  /** Campaigns begin and expire, budgets have room again: to the tenth of a second. */
  advance(nowNs: bigint): void {
    if (nowNs >= this.#advancedNs && nowNs - this.#advancedNs < ADVANCE_NS) return;
    this.#advancedNs = nowNs;
    this.campaigns.advance(nowNs);
  }

  #claim(firings: readonly Firing[]): void {
    for (const { campaign, timeNs } of firings) this.recorder.trigger(campaign.campaign, timeNs);
  }
}
