/** Signals out of structured messages (JSON of an MCAP channel, a ULog topic): the mapping's channels, by the topic they come from. */
import { FleetError } from '../errors/fleet-error.ts';
import type { SignalChannel } from './channel.ts';
import { parseFieldPath } from './json-fields.ts';
import type { MessageChannelMapping } from './mapping-formats.ts';
import { type ChannelPlan, makeSignalMessage, planChannel } from './signal-plan.ts';
import type { SignalMessage } from './source-message.ts';

type FieldSignal = MessageChannelMapping['signals'][number] & { readonly parts: readonly string[] };

/** Gives the number of a field, NaN for none. */
export type FieldReader = (path: readonly string[]) => number;

/** What the mapping wants of structured messages. */
export type MessageSignals = {
  readonly channels: readonly SignalChannel[];
  /** Whether any channel comes from a topic. */
  readonly wants: (topic: string) => boolean;
  /** Starts at the first message; the function returned makes the signal messages of one message of a topic. */
  readonly start: () => (topic: string, timeNs: bigint, valueOf: FieldReader) => readonly (SignalMessage | undefined)[];
};

/** Plans the channels of a mapping. @throws FleetError `MAPPING_INVALID` */
export function planMessageSignals(mapped: readonly MessageChannelMapping[]): MessageSignals {
  const plans = mapped.map((channel) => {
    const signals = channel.signals.map((signal): FieldSignal => ({ ...signal, parts: parseFieldPath(signal.field) }));
    return { from: channel.from, plan: planChannel({ ...channel, signals }) };
  });
  const topics = new Set(plans.map(({ from }) => from));
  return {
    channels: plans.map(({ plan }) => plan.channel),
    wants: (topic) => topics.has(topic),
    start: () => {
      const byTopic = new Map<string, ChannelPlan<FieldSignal>[]>();
      for (const { from, plan } of plans) byTopic.set(from, [...(byTopic.get(from) ?? []), { ...plan, sequence: 0 }]);
      return (topic, timeNs, valueOf) =>
        (byTopic.get(topic) ?? []).map((plan) => makeSignalMessage(plan, timeNs, (signal) => valueOf(signal.parts)));
    },
  };
}

/** A topic that both the file and the mapping declare would mix two forms. @throws FleetError MAPPING_INVALID */
export function refuseTopicOfFile(signals: MessageSignals, topic: string): void {
  if (signals.channels.every((channel) => channel.topic !== topic)) return;
  throw new FleetError(
    'MAPPING_INVALID',
    `topic ${topic} is in the file already: give the mapping's channel another one`,
  );
}
