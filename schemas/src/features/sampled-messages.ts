/** Makes messages again of what a window was computed from, so that any engine can take them as if it had been there. */
import type { SignalChannel } from '../capture/channel.ts';
import type { SignalMessage } from '../capture/source-message.ts';
import type { FeatureSet } from './feature-set.ts';
import type { WindowInputs } from './window-inputs.ts';

/** Carries the signals that no topic fed: an engine that asks for all of them finds them, without a sample. */
const ABSENT_TOPIC = '/absent';

type Taken = Extract<WindowInputs, { readonly kind: 'taken' }>;

/**
 * Messages in order of arrival. The windows that they give are the sampled one, by its bounds, and parts of those around it. Ahead of
 * them each channel shows itself by a message without values, because a topic need not have a sample in every window.
 */
export function sampledMessages(featureSet: FeatureSet, { channels, messages }: Taken): readonly SignalMessage[] {
  const [first] = messages;
  if (first === undefined) return [];
  const fed = new Set(channels.flatMap(({ signals }) => signals));
  const absent = featureSet.signals.flatMap((_, signal) => (fed.has(signal) ? [] : [signal]));
  const all = [...channels, ...(absent.length === 0 ? [] : [{ topic: ABSENT_TOPIC, signals: absent }])];
  const made = all.map(({ topic, signals }) => toChannel(featureSet, topic, signals));
  const shown = made.map((channel) =>
    toMessage(channel, first.logTimeNs, new Float64Array(channel.signals.length).fill(Number.NaN)),
  );
  const sampled = messages.map(({ channel, logTimeNs, values }) =>
    toMessage(made[channel] as SignalChannel, logTimeNs, Float64Array.from(values)),
  );
  return [...shown, ...sampled];
}

function toChannel({ signals: all }: FeatureSet, topic: string, signals: readonly number[]): SignalChannel {
  const own = signals.map((signal) => {
    const { path, unit, name } = all[signal] as FeatureSet['signals'][number];
    return { path, unit, field: name };
  });
  return { kind: 'signal', topic, signals: own };
}

/** Engines read neither sequence nor publish time. */
function toMessage(channel: SignalChannel, logTimeNs: bigint, values: Float64Array): SignalMessage {
  return { kind: 'signal', channel, sequence: 0, logTimeNs, publishTimeNs: logTimeNs, values };
}
