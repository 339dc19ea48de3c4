/** From a channel of a mapping to the channel of the contract and the arithmetic that fills its messages. */
import { FleetError } from '../errors/fleet-error.ts';
import { fieldNames } from '../vss/topic.ts';
import { unitConversion } from '../vss/units.ts';
import type { SignalChannel } from './channel.ts';
import type { SignalMessage } from './source-message.ts';
import { catalogueUnit } from './mapping.ts';

/** A signal of a mapping, whatever the source's columns are. */
type MappedSignal = { readonly path: string; readonly unit: string; readonly scale: number; readonly offset: number };
type MappedChannel<S extends MappedSignal> = {
  readonly topic: string;
  readonly rateHz?: number | undefined;
  readonly signals: readonly S[];
};

/** value of the message = source value × scale + offset. */
export type Arithmetic = { readonly scale: number; readonly offset: number };

/** What turns source values into messages of one channel. */
export type ChannelPlan<S extends MappedSignal> = {
  readonly channel: SignalChannel;
  readonly signals: readonly (S & { readonly arithmetic: Arithmetic })[];
  /** Counts the messages made so far. */
  sequence: number;
};

/**
 * Plans one channel.
 * @throws FleetError `MAPPING_INVALID` when a path is not below the topic or two signals share a field name.
 */
export function planChannel<S extends MappedSignal>(mapped: MappedChannel<S>): ChannelPlan<S> {
  const fields = fieldNames(
    mapped.topic,
    mapped.signals.map((signal) => signal.path),
  );
  if (new Set(fields).size < fields.length) {
    throw new FleetError('MAPPING_INVALID', `topic ${mapped.topic}: two signals have the same field name`);
  }
  const signals = mapped.signals.map((signal, index) => ({
    path: signal.path,
    field: fields[index] ?? '',
    unit: catalogueUnit(signal.path),
  }));
  const channel: SignalChannel = { kind: 'signal', topic: mapped.topic, signals };
  return {
    channel: mapped.rateHz === undefined ? channel : { ...channel, rateHz: mapped.rateHz },
    signals: mapped.signals.map((signal) => ({ ...signal, arithmetic: arithmeticOf(signal) })),
    sequence: 0,
  };
}

/** Scale and offset of the mapping, then the conversion of the unit; a plain column of the right unit is left exactly as it is. */
function arithmeticOf(signal: MappedSignal): Arithmetic {
  const conversion = unitConversion(signal.unit, catalogueUnit(signal.path));
  return { scale: signal.scale * conversion.scale, offset: signal.offset * conversion.scale + conversion.offset };
}

/** Makes the next message of a channel, or undefined when the source has none of its values. Hot path. */
export function makeSignalMessage<S extends MappedSignal>(
  plan: ChannelPlan<S>,
  timeNs: bigint,
  valueOf: (signal: S) => number,
): SignalMessage | undefined {
  const values = new Float64Array(plan.signals.length);
  let isEmpty = true;
  for (const [index, signal] of plan.signals.entries()) {
    const value = valueOf(signal) * signal.arithmetic.scale + signal.arithmetic.offset;
    values[index] = value;
    if (!Number.isNaN(value)) isEmpty = false;
  }
  if (isEmpty) return undefined;
  const sequence = plan.sequence;
  plan.sequence += 1;
  return { kind: 'signal', channel: plan.channel, sequence, logTimeNs: timeNs, publishTimeNs: timeNs, values };
}
