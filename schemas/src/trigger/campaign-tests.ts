/** Plays the tests that a campaign carries through the evaluator itself, before the campaign is pushed and again on the vehicle. */
import type { Channel, SignalChannel } from '../capture/channel.ts';
import type { CampaignTest, TraceStep, VehicleAttributes } from '../campaign/campaign-trace.ts';
import type { Campaign } from '../campaign/campaign.ts';
import { FleetError } from '../errors/fleet-error.ts';
import { findSignal } from '../vss/catalogue.ts';
import { unitConversion } from '../vss/units.ts';
import { compileCampaign } from './compile-campaign.ts';
import { ROLES } from './input-node.ts';
import { type Firing, makeTriggerEvaluator, type TriggerEvaluator } from './trigger-evaluator.ts';

const NS_PER_MS = 1_000_000n;
const NS_PER_MS_NUMBER = 1e6;
/** Times named in a failure; the rest is counted. */
const TIMES_NAMED_MAX = 20;

export type CampaignTestResult = {
  readonly name: string;
  readonly isPassed: boolean;
  readonly expectedFireMs: readonly number[];
  readonly actualFireMs: readonly number[];
};

/**
 * Runs each test on an evaluator of its own, without schedule and suspension.
 * @throws FleetError of `compileCampaign`; SIGNAL_UNKNOWN, UNIT_UNKNOWN for a trace that names what does not exist
 */
export function runCampaignTests(campaign: Campaign, vehicle: VehicleAttributes): readonly CampaignTestResult[] {
  const { startsAt: _start, expiresAt: _end, suspended: _suspended, ...tested } = campaign;
  return (campaign.tests ?? []).map((test) => {
    const actualFireMs = play(tested, test, { ...vehicle, ...test.attributes });
    const expectedFireMs = test.expectedFireMs.toSorted((left, right) => left - right);
    const isPassed =
      actualFireMs.length === expectedFireMs.length &&
      actualFireMs.every((timeMs, index) => timeMs === expectedFireMs[index]);
    return { name: test.name, isPassed, expectedFireMs, actualFireMs };
  });
}

/**
 * @throws FleetError CAMPAIGN_TEST naming the first test that fails, when it must and when it does fire; and as `runCampaignTests`
 */
export function assertCampaignTests(campaign: Campaign, vehicle: VehicleAttributes): void {
  const failed = runCampaignTests(campaign, vehicle).filter((result) => !result.isPassed);
  const [first] = failed;
  if (first === undefined) return;
  const others = failed.length === 1 ? '' : ` (and ${failed.length - 1} more tests fail)`;
  throw new FleetError(
    'CAMPAIGN_TEST',
    `campaign ${campaign.id}: test ${JSON.stringify(first.name)} must fire at ${times(first.expectedFireMs)} but fires at ${times(first.actualFireMs)}${others}: correct the condition or the test`,
  );
}

function times(list: readonly number[]): string {
  const named = list.slice(0, TIMES_NAMED_MAX).map((timeMs) => `${timeMs} ms`);
  const rest = list.length > TIMES_NAMED_MAX ? ` and ${list.length - TIMES_NAMED_MAX} times more` : '';
  return named.length === 0 ? 'no time' : `${named.join(', ')}${rest}`;
}

function play(campaign: Campaign, test: CampaignTest, vehicle: VehicleAttributes): readonly number[] {
  const evaluator = makeTriggerEvaluator();
  evaluator.setCampaigns([compileCampaign(campaign, vehicle)]);
  evaluator.startSession();
  const channels = new Map<string, Channel>();
  const firings = test.trace.flatMap((step) => playStep(evaluator, channels, step));
  return firings.map(({ timeNs }) => Number(timeNs) / NS_PER_MS_NUMBER).toSorted((left, right) => left - right);
}

function playStep(evaluator: TriggerEvaluator, channels: Map<string, Channel>, step: TraceStep): readonly Firing[] {
  const timeNs = BigInt(step.timeMs) * NS_PER_MS;
  const header = { sequence: 0, logTimeNs: timeNs, publishTimeNs: timeNs };
  if ('path' in step) {
    const channel = channelOf(channels, `path ${step.path}`, () => signalChannel(step.path)) as SignalChannel;
    return evaluator.push({ kind: 'signal', channel, ...header, values: Float64Array.of(valueOfStep(step, channel)) });
  }
  if ('topic' in step) {
    const { topic } = step;
    const channel = channelOf(channels, `topic ${topic}`, () => ({ kind: 'signal', topic, signals: [] }));
    return evaluator.push({ kind: 'signal', channel: channel as SignalChannel, ...header, values: new Float64Array() });
  }
  if ('model' in step) {
    const { role, output, confidence = Number.NaN, distance = Number.NaN } = step.model;
    return evaluator.pushInference({ role: ROLES[role], output, confidence, distance, windowEndNs: timeNs });
  }
  return evaluator.tick(timeNs);
}

function channelOf(channels: Map<string, Channel>, key: string, make: () => Channel): Channel {
  const known = channels.get(key);
  if (known !== undefined) return known;
  const made = make();
  channels.set(key, made);
  return made;
}

/** A channel of its own for the path, on the topic of its branch. */
function signalChannel(path: string): SignalChannel {
  const signal = findSignal(path);
  if (signal === undefined)
    throw new FleetError('SIGNAL_UNKNOWN', `a trace names ${path}, which is not in the VSS catalogue or the overlay`);
  const topic = `/vss/${path.slice(0, Math.max(0, path.lastIndexOf('.')))}`;
  return { kind: 'signal', topic, signals: [{ path, field: 'value', unit: signal.unit }] };
}

function valueOfStep(step: Extract<TraceStep, { path: string }>, channel: SignalChannel): number {
  if (step.value === null) return Number.NaN;
  const to = channel.signals[0]?.unit ?? '';
  const { scale, offset } = unitConversion(step.unit ?? to, to);
  return step.value * scale + offset;
}
