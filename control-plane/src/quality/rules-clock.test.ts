/** Times in a unit that was mistaken, clocks that lack the date, and stamps of arrival, on streams made for it. */
import type { SignalChannel, SourceMessage } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { defaultStandard } from './default-standard.ts';
import { RecordingCheck } from './recording-check.ts';

const DATED_NS = 1_760_000_000_000_000_000n;
const BOOTED_NS = 46_408_580_034_294n;

const speed = channelOf('/vss/Vehicle', 'Vehicle.Speed', 'km/h');
const latitude = channelOf('/gnss', 'Vehicle.CurrentLocation.Latitude', 'degrees');

function channelOf(topic: string, path: string, unit: string): SignalChannel {
  return { kind: 'signal', topic, signals: [{ path, field: 'value', unit }] };
}

function stream(channel: SignalChannel, stampOf: (index: number) => bigint): readonly SourceMessage[] {
  return Array.from({ length: 200 }, (_, index) => {
    const logTimeNs = stampOf(index);
    const values = Float64Array.of(40 + Math.sin(index / 9));
    return { kind: 'signal', channel, sequence: index, logTimeNs, publishTimeNs: logTimeNs, values };
  });
}

function findingsOf(...streams: readonly (readonly SourceMessage[])[]): readonly string[] {
  const check = new RecordingCheck(defaultStandard());
  for (const message of streams.flat()) check.push(message);
  return check.finish({}).findings.map(({ rule, topic }) => `${rule} ${topic}`);
}

const each = (startNs: bigint, periodNs: bigint) => (index: number) => startNs + BigInt(index) * periodNs;

describe('log times', () => {
  it('may count from 1970, or from the start of a device', () => {
    expect(findingsOf(stream(latitude, each(DATED_NS, 100_000_000n)))).toEqual([]);
    expect(findingsOf(stream(latitude, each(BOOTED_NS, 100_000_000n)))).toEqual([]);
    // Three weeks after its start, which is what a date in µs looks like.
    expect(findingsOf(stream(latitude, each(DATED_NS / 1_000n, 100_000_000n)))).toEqual([]);
  });

  it.each([
    ['µs', 1_000n],
    ['ms', 1_000_000n],
    ['s', 1_000_000_000n],
  ])('of a date in %s are told from those of a device', (_unit, factor) => {
    const shrunk = stream(latitude, (index) => each(DATED_NS, 1_000_000_000n)(index) / factor);
    expect(findingsOf(shrunk)).toContain('clock.range null');
  });

  it('of one topic that lack the date are found, and only that topic', () => {
    const dated = [latitude, channelOf('/other', 'Vehicle.Speed', 'km/h')].map((channel) =>
      stream(channel, each(DATED_NS, 100_000_000n)),
    );
    const found = findingsOf(...dated, stream(speed, each(BOOTED_NS, 100_000_000n)));
    expect(found.filter((line) => line.startsWith('clock.range'))).toEqual(['clock.range /vss/Vehicle']);
  });
});

describe('messages of a sensor', () => {
  it('that are stamped when a buffer is emptied come in bursts', () => {
    const burst = (index: number): bigint => DATED_NS + BigInt(Math.floor(index / 10)) * 1_000_000_000n;
    expect(findingsOf(stream(latitude, (index) => burst(index) + BigInt(index % 10)))).toEqual(['rate.bursts /gnss']);
  });

  it('do not come in bursts because of one long silence', () => {
    const broken = stream(
      latitude,
      (index) => each(DATED_NS, 100_000_000n)(index) + (index < 100 ? 0n : 3_600n * 10n ** 9n),
    );
    expect(findingsOf(broken)).toEqual(['rate.gap /gnss']);
  });
});
