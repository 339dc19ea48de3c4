/** The way of one message through trigger and record: the same on the road and in an offline replay. */
import type { SourceMessage } from '@fleetloop/schemas';
import { CampaignDesk } from '../campaign/campaign-desk.ts';
import type { Drive, InferenceResult } from '../ports.ts';
import { EventRecorder, type RecordedEvent, type RecorderOptions } from '../record/event-recorder.ts';
import { makeTriggerEvaluator, type TriggerEvaluator } from '../trigger/trigger-evaluator.ts';
import { makeModelMessages } from './model-messages.ts';

export class CaptureLine {
  readonly evaluator: TriggerEvaluator = makeTriggerEvaluator();
  readonly recorder: EventRecorder;
  readonly campaigns: CampaignDesk;
  #toMessage = makeModelMessages();

  constructor(options: RecorderOptions) {
    this.recorder = new EventRecorder(options);
    this.campaigns = new CampaignDesk(this.evaluator, this.recorder);
  }

  startSession({ session, attributes, channels }: Pick<Drive, 'session' | 'attributes' | 'channels'>): void {
    this.evaluator.startSession();
    this.recorder.startSession({ session, attributes, channels });
    this.#toMessage = makeModelMessages();
  }

  /** One message of a sensor; returns the events that are complete now. */
  push(message: SourceMessage): readonly RecordedEvent[] {
    const events = this.recorder.push(message);
    for (const { campaign, timeNs } of this.evaluator.push(message)) this.recorder.trigger(campaign.campaign, timeNs);
    return events;
  }

  /** One result of the model, as a message and as an input of campaigns. */
  pushInference(result: InferenceResult): readonly RecordedEvent[] {
    const events = this.recorder.push(this.#toMessage(result));
    for (const { campaign, timeNs } of this.evaluator.pushInference(result.inference))
      this.recorder.trigger(campaign.campaign, timeNs);
    return events;
  }
}
