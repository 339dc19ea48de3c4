/** Why: the faults that checks must find, made in copies of real recordings: each changes the messages of one quantity and nothing else. */
import type { SignalMessage, SourceMessage } from '@fleetloop/schemas';

export type Fault = (messages: readonly SourceMessage[]) => readonly SourceMessage[];

const NS_PER_SECOND = 1e9;

/** Where in a recording a fault is: shares of its length. */
export type Part = { readonly from: number; readonly to: number };
export const WHOLE: Part = { from: 0, to: 1.01 };
export const SECOND_HALF: Part = { from: 0.5, to: 1.01 };

type ChangeValue = (value: number, index: number) => number;

/** Changes the values of the signals whose path matches. */
export function changeValues(path: RegExp, change: ChangeValue, part: Part = WHOLE): Fault {
  return (messages) => {
    const isInside = makePart(messages, part);
    const counts = new Map<string, number>();
    return messages.map((message) => {
      if (message.kind !== 'signal' || !isInside(message)) return message;
      const values = message.channel.signals.map((signal, index) => {
        const value = message.values[index] as number;
        if (!path.test(signal.path)) return value;
        const count = counts.get(signal.path) ?? 0;
        counts.set(signal.path, count + 1);
        return change(value, count);
      });
      return { ...message, values: Float64Array.from(values) };
    });
  };
}

export const scaled = (path: RegExp, factor: number, part?: Part): Fault =>
  changeValues(path, (value) => value * factor, part);
export const flipped = (path: RegExp, part?: Part): Fault => scaled(path, -1, part);

/** Holds the value that was there when the part began. */
export function frozen(path: RegExp, part: Part): Fault {
  return (messages) => {
    const held = new Map<string, number>();
    const holding = changeValues(path, (value) => value, part);
    const isInside = makePart(messages, part);
    return holding(messages).map((message) => {
      if (message.kind !== 'signal' || !isInside(message)) return message;
      const values = message.channel.signals.map((signal, index) => {
        const value = message.values[index] as number;
        if (!path.test(signal.path)) return value;
        if (!held.has(signal.path) && !Number.isNaN(value)) held.set(signal.path, value);
        return held.get(signal.path) ?? value;
      });
      return { ...message, values: Float64Array.from(values) };
    });
  };
}

/** Cuts values off at this share of their own largest deviation from the middle. */
export function saturated(path: RegExp, share: number): Fault {
  return (messages) => {
    const found = valuesOf(messages, path).toSorted((a, b) => a - b);
    const middle = found[Math.floor(found.length / 2)] ?? 0;
    const most = found.reduce((max, value) => Math.max(max, Math.abs(value - middle)), 0) * share;
    return changeValues(path, (value) => Math.min(middle + most, Math.max(middle - most, value)))(messages);
  };
}

export const quantised = (path: RegExp, step: number): Fault =>
  changeValues(path, (value) => Math.round(value / step) * step);

/** Exchanges two signals of one channel. */
export function swapped(a: RegExp, b: RegExp): Fault {
  return (messages) =>
    messages.map((message) => {
      if (message.kind !== 'signal') return message;
      const [left, right] = [a, b].map((path) => message.channel.signals.findIndex((signal) => path.test(signal.path)));
      if (left === undefined || right === undefined || left < 0 || right < 0) return message;
      const values = Float64Array.from(message.values);
      [values[left], values[right]] = [message.values[right] as number, message.values[left] as number];
      return { ...message, values };
    });
}

/** Writes one signal's values over another's. */
export function duplicated(from: RegExp, to: RegExp): Fault {
  return (messages) =>
    messages.map((message) => {
      if (message.kind !== 'signal') return message;
      const [source, target] = [from, to].map((path) =>
        message.channel.signals.findIndex((signal) => path.test(signal.path)),
      );
      if (source === undefined || target === undefined || source < 0 || target < 0) return message;
      const values = Float64Array.from(message.values);
      values[target] = message.values[source] as number;
      return { ...message, values };
    });
}

/** Shifts the log times of topics, as a receiver that is late would; then the file is in order of time again. */
export function shifted(topic: RegExp, seconds: number): Fault {
  return (messages) =>
    messages
      .map((message) => (topic.test(message.channel.topic) ? at(message, seconds) : message))
      .toSorted((a, b) => Number(a.logTimeNs - b.logTimeNs));
}

/** The clock is set in the middle: what comes after it has other times, and keeps its place in the file. */
export function clockStep(seconds: number): Fault {
  return (messages) => {
    const isInside = makePart(messages, SECOND_HALF);
    const inside = messages.map(isInside);
    return messages.map((message, index) => (inside[index] === true ? at(message, seconds) : message));
  };
}

/** Leaves the messages of topics out for a while. */
export function gap(topic: RegExp, part: Part): Fault {
  return (messages) => {
    const isInside = makePart(messages, part);
    return messages.filter((message) => !topic.test(message.channel.topic) || !isInside(message));
  };
}

/** Leaves out some messages of a topic, here and there, the same ones each time; they are numbered by what is left. */
export function thinned(topic: RegExp, share: number, part: Part = WHOLE): Fault {
  return (messages) => {
    const isInside = makePart(messages, part);
    const counts = new Map<string, number>();
    let place = 0;
    return messages.flatMap((message) => {
      if (!topic.test(message.channel.topic)) return [message];
      place += 1;
      // The fractional parts of multiples of the golden section are spread evenly.
      if (isInside(message) && (place * 0.618_033_988_7) % 1 < share) return [];
      const sequence = counts.get(message.channel.topic) ?? 0;
      counts.set(message.channel.topic, sequence + 1);
      return [{ ...message, sequence }];
    });
  };
}

/** Gives the messages of a topic twice. */
export function repeated(topic: RegExp, part: Part): Fault {
  return (messages) => {
    const isInside = makePart(messages, part);
    return messages.flatMap((message) =>
      topic.test(message.channel.topic) && isInside(message) ? [message, message] : [message],
    );
  };
}

/** Adds a step to every so manieth value and to none of its neighbours. */
export const spiked = (path: RegExp, step: number, every: number): Fault =>
  changeValues(path, (value, index) => (index % every === every - 1 ? value + step : value));

export const jump = (degrees: number, part: Part): Fault => changeValues(/Latitude$/, (value) => value + degrees, part);

function at(message: SourceMessage, seconds: number): SourceMessage {
  const byNs = BigInt(Math.round(seconds * NS_PER_SECOND));
  return { ...message, logTimeNs: message.logTimeNs + byNs, publishTimeNs: message.publishTimeNs + byNs };
}

function valuesOf(messages: readonly SourceMessage[], path: RegExp): number[] {
  return messages
    .filter((message): message is SignalMessage => message.kind === 'signal')
    .flatMap(({ channel, values }) =>
      channel.signals.flatMap((signal, index) => (path.test(signal.path) ? [values[index] as number] : [])),
    )
    .filter((value) => !Number.isNaN(value));
}

function makePart(messages: readonly SourceMessage[], { from, to }: Part): (message: SourceMessage) => boolean {
  const first = messages[0]?.logTimeNs ?? 0n;
  const spanNs = Number((messages.at(-1)?.logTimeNs ?? 0n) - first);
  return ({ logTimeNs }) => {
    const place = Number(logTimeNs - first) / spanNs;
    return place >= from && place < to;
  };
}
