/** The second source of skew: vectors that vehicles sent with their inputs, computed again from these by both engines. */
import type { FeatureSet } from '@fleetloop/schemas';
import { bindChannel, createStreamingEvaluator, sampledMessages, WINDOW_INPUTS_MAX } from '@fleetloop/schemas/features';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import type { FeatureSample } from '@fleetloop/schemas/wire';
import { readFeatureSample } from '../monitoring/feature-sample.ts';
import type { FeatureRow, StoredSample } from '../ports.ts';
import { computeEach } from './feature-batch.ts';
import { windowKey } from './skew-coverage.ts';
import type { LoggedVector, SkewCounter, SkewWindow } from './skew-tally.ts';

/** Samples of one evaluation, the newest ones. */
export const SKEW_SAMPLES_MAX = 20_000;
export const SKEW_SAMPLE_BYTES_MAX = 64 * 1024 * 1024;
/** Samples of one part are computed in one query, and their bytes are one document. */
const PART_SAMPLES_MAX = 512;
const PART_BYTES_MAX = 4 * 1024 * 1024;

/** Samples as they came, in base64. */
export type SamplesPart = readonly { readonly vehicle: string; readonly sample: string }[];

export function* partsOfSamples(samples: readonly StoredSample[]): Generator<SamplesPart> {
  let part: SamplesPart[number][] = [];
  let bytesOfPart = 0;
  for (const { vehicleId, bytes } of samples) {
    part.push({ vehicle: vehicleId, sample: Buffer.from(bytes).toString('base64') });
    bytesOfPart += bytes.length;
    if (part.length < PART_SAMPLES_MAX && bytesOfPart < PART_BYTES_MAX) continue;
    yield part;
    [part, bytesOfPart] = [[], 0];
  }
  if (part.length > 0) yield part;
}

type Decoded = { readonly sample: FeatureSample; readonly evidence: string };

/** Computes the samples of a part again and counts what differs. Returns how many there were. */
export async function countSamples(
  counter: SkewCounter,
  part: SamplesPart,
  { featureSet, signal }: { readonly featureSet: FeatureSet; readonly signal: AbortSignal },
): Promise<number> {
  const decoded = part.flatMap(({ vehicle, sample: text }): Decoded[] => {
    const bytes = Buffer.from(text, 'base64');
    const sample = readFeatureSample(vehicle, bytes);
    return sample === undefined ? [] : [{ sample, evidence: digestOfBytes(bytes) }];
  });
  const sound = decoded.filter(({ sample }) => fits(featureSet, sample));
  const sessions = sound.map(({ sample }) => messagesOf(featureSet, sample));
  const computed = await computeEach(featureSet, sessions, { signal });
  for (const each of decoded) {
    const index = sound.indexOf(each);
    const logged = toLogged(each.sample);
    const window = windowOf(featureSet, each, { messages: sessions[index], rows: computed[index] });
    counter.add(logged, window);
    counter.addUnsent(logged, window, unsentOf(each.sample));
  }
  return decoded.length;
}

/** A sample of another definition cannot be computed; nor one with more values than a vehicle would take. */
function fits(featureSet: FeatureSet, sample: FeatureSample): boolean {
  const { vector, channels, messageChannels, messageValues } = sample;
  const signals = channels.flatMap((channel) => channel.signals);
  return (
    vector.length === featureSet.features.length &&
    messageChannels.length > 0 &&
    messageValues.length <= WINDOW_INPUTS_MAX * featureSet.signals.length &&
    new Set(signals).size === signals.length &&
    signals.every((signal) => signal < featureSet.signals.length) &&
    isBindable(featureSet, sample)
  );
}

/** Whether each derived series has its parts in one channel, as on any vehicle that could compute it. */
function isBindable(featureSet: FeatureSet, sample: FeatureSample): boolean {
  try {
    for (const channel of new Set(messagesOf(featureSet, sample).map((message) => message.channel)))
      bindChannel(featureSet, channel);
    return true;
  } catch {
    return false;
  }
}

function messagesOf(featureSet: FeatureSet, sample: FeatureSample): ReturnType<typeof sampledMessages> {
  const { channels, messageChannels, messageOffsetsNs, messageValues, windowStartNs } = sample;
  let at = 0;
  const messages = messageChannels.map((channel, index) => {
    const count = channels[channel]?.signals.length ?? 0;
    const values = messageValues.slice(at, at + count);
    at += count;
    return { channel, logTimeNs: windowStartNs + (messageOffsetsNs[index] ?? 0n), values };
  });
  return sampledMessages(featureSet, { kind: 'taken', channels, messages });
}

function windowOf(
  featureSet: FeatureSet,
  { sample, evidence }: Decoded,
  {
    messages,
    rows,
  }: {
    readonly messages: ReturnType<typeof sampledMessages> | undefined;
    readonly rows: readonly FeatureRow[] | undefined;
  },
): SkewWindow {
  const firmware = [sample.softwareVersion, sample.firmware].filter((part) => part !== '').join('/');
  const common = { source: 'sample', firmware, engine: sample.engine } as const;
  if (messages === undefined || rows === undefined) return { ...common, kind: 'malformed' };
  const key = windowKey(sample);
  const row = rows.find((each) => windowKey(each) === key);
  if (row === undefined) return { ...common, kind: 'unmatched' };
  const evaluator = createStreamingEvaluator(featureSet);
  const vectors = [...messages.flatMap((message) => evaluator.push(message)), ...evaluator.endSession()];
  const streamed = vectors.find((each) => windowKey(each) === key)?.values;
  // Where the streaming engine gives no such window the two are apart in every feature.
  const values = streamed === undefined ? row.values.map(() => Number.NaN) : [...streamed];
  return { ...common, kind: 'compared', evidence, recomputed: row.values, streamed: values };
}

function toLogged(sample: FeatureSample): LoggedVector {
  const { vehicleId, session, hardwareRevision, variant, windowStartNs, windowEndNs, vector } = sample;
  return { vehicle: vehicleId, session, hardwareRevision, variant, windowStartNs, windowEndNs, values: vector };
}

function unsentOf({ withheld }: FeatureSample): { readonly withheld: number; readonly incomparable: number } {
  if (withheld === undefined) return { withheld: 0, incomparable: 0 };
  const { overBudget, tooLarge, redacted, unsent, notComparable } = withheld;
  return { withheld: overBudget + tooLarge + redacted + unsent, incomparable: notComparable };
}
