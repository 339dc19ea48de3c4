/** Runs the agent's own capture core over a drive from a seed and holds what it kept against what it must have kept. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { compileCampaign, EventRecorder, makeTriggerEvaluator, type RecordedEvent } from '@fleetloop/edge-agent';
import type { SourceMessage } from '@fleetloop/schemas';
import { encodeSignalValues } from '@fleetloop/schemas/recording';
import { type RandomDrive, randomDrive } from './random-drive.ts';
import { seededRandom } from './seeded-random.ts';

const NS_PER_MS = 1_000_000n;
const RING_BYTES_MAX = 64 * 1024 * 1024;

type Firing = { readonly campaign: string; readonly timeNs: bigint; readonly startNs: bigint; readonly endNs: bigint };

export type RunOutcome = {
  readonly seed: number;
  readonly messages: number;
  readonly firings: number;
  readonly events: number;
  /** Equal for equal seeds. */
  readonly fingerprint: string;
  /** What did not hold; empty when all is well. */
  readonly problems: readonly string[];
};

/** One run. The same seed gives the same outcome. */
export function runCapture(seed: number): RunOutcome {
  const drive = randomDrive(seededRandom(seed));
  const { events, firings } = capture(drive);
  const messages = drive.steps.flatMap((step) => (step.kind === 'message' ? [step.message] : []));
  const problems = [...checkFirings(events, firings), ...checkMessages(events, messages), ...checkOrder(events)];
  return {
    seed,
    messages: messages.length,
    firings: firings.length,
    events: events.length,
    fingerprint: fingerprint(events),
    problems,
  };
}

function capture(drive: RandomDrive): { events: readonly RecordedEvent[]; firings: readonly Firing[] } {
  const evaluator = makeTriggerEvaluator();
  const recorder = new EventRecorder({
    vehicle: { id: 'simulated', hardwareRevision: 'A' },
    software: { name: 'simulation', version: '0' },
    ringBytesMax: RING_BYTES_MAX,
  });
  const events: RecordedEvent[] = [];
  const firings: Firing[] = [];
  recorder.startSession({ session: 'simulated', attributes: {}, channels: drive.channels });
  for (const step of drive.steps) {
    if (step.kind === 'campaigns') {
      evaluator.setCampaigns(step.campaigns.map(compileCampaign));
      recorder.setCampaigns(step.campaigns);
      continue;
    }
    events.push(...recorder.push(step.message));
    for (const { campaign: compiled, timeNs } of evaluator.push(step.message)) {
      const { campaign } = compiled;
      recorder.trigger(campaign, timeNs);
      const startNs = timeNs - BigInt(campaign.preWindowMs) * NS_PER_MS;
      firings.push({
        campaign: campaign.id,
        timeNs,
        startNs,
        endNs: timeNs + BigInt(campaign.postWindowMs) * NS_PER_MS,
      });
    }
  }
  events.push(...recorder.endSession());
  return { events, firings };
}

/** Each firing is a trigger of exactly one event; each event has at least one. */
function checkFirings(events: readonly RecordedEvent[], firings: readonly Firing[]): string[] {
  const problems: string[] = [];
  for (const firing of firings) {
    const holders = events.filter((event) =>
      event.window.triggers.some(
        (trigger) => trigger.campaignId === firing.campaign && trigger.timeNs === firing.timeNs,
      ),
    );
    if (holders.length !== 1)
      problems.push(`trigger ${firing.campaign} at ${firing.timeNs} is in ${holders.length} events`);
  }
  for (const event of events) if (event.window.triggers.length === 0) problems.push(`event ${event.id} has no trigger`);
  return problems;
}

/** An event holds every message of its interval, once, in order. */
function checkMessages(events: readonly RecordedEvent[], messages: readonly SourceMessage[]): string[] {
  return events.flatMap((event) => {
    const { startNs, endNs } = event.window;
    const expected = messages.filter((message) => message.logTimeNs >= startNs && message.logTimeNs <= endNs);
    const isSame = isDeepStrictEqual([...event.messages], expected);
    return isSame ? [] : [`event ${event.id} holds ${event.messages.length} of ${expected.length} messages`];
  });
}

/** Events do not overlap: what overlaps is one event. */
function checkOrder(events: readonly RecordedEvent[]): string[] {
  return events.slice(1).flatMap((event, index) => {
    const before = events[index] as RecordedEvent;
    return event.window.startNs > before.window.endNs ? [] : [`events ${before.id} and ${event.id} overlap`];
  });
}

function fingerprint(events: readonly RecordedEvent[]): string {
  const hash = createHash('sha256');
  for (const event of events) {
    hash.update(`${event.id} ${event.window.startNs} ${event.window.endNs}`);
    for (const message of event.messages)
      if (message.kind === 'signal') hash.update(encodeSignalValues(message.values));
  }
  return hash.digest('hex').slice(0, 16);
}
