import type { OpaqueChannel, SourceMessage } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { countLosses, findGaps, GAPS_PER_TOPIC_MAX } from './gaps.ts';

const channel = (topic: string, rateHz?: number): OpaqueChannel => ({
  kind: 'opaque',
  topic,
  schemaName: 'x',
  ...(rateHz === undefined ? {} : { rateHz }),
});
const NS = 1_000_000_000;

function at(on: OpaqueChannel, seconds: readonly number[]): SourceMessage[] {
  return seconds.map((second, sequence) => ({
    kind: 'opaque',
    channel: on,
    sequence,
    logTimeNs: BigInt(Math.round(second * NS)),
    publishTimeNs: 0n,
    data: new Uint8Array(),
  }));
}
const interval = (from: number, to: number): { startNs: bigint; endNs: bigint } => ({
  startNs: BigInt(from * NS),
  endNs: BigInt(to * NS),
});
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const seconds = (gap: { topic: string; fromNs: bigint; toNs: bigint }): [string, number, number] => [
  gap.topic,
  Number(gap.fromNs) / NS,
  Number(gap.toNs) / NS,
];

describe('gaps', () => {
  it('finds a silence of more than three periods of the declared rate and no shorter one', () => {
    const a = channel('/a', 1);
    expect(findGaps(at(a, [0, 1, 2, 5, 6, 7, 11, 12]), interval(0, 12), [a]).map(seconds)).toEqual([['/a', 7, 11]]);
  });

  it('sees a channel with a rate that is silent at the edges or throughout', () => {
    const [a, b] = [channel('/a', 1), channel('/b', 10)];
    expect(findGaps(at(a, range(5, 10)), interval(0, 15), [a, b]).map(seconds)).toEqual([
      ['/a', 0, 5],
      ['/a', 10, 15],
      ['/b', 0, 15],
    ]);
  });

  it('measures a channel without a rate against its own usual period', () => {
    const a = channel('/a');
    expect(findGaps(at(a, [...range(0, 10), ...range(17, 30)]), interval(0, 30), [a]).map(seconds)).toEqual([
      ['/a', 10, 17],
    ]);
    expect(findGaps(at(a, [0, 10]), interval(0, 30), [a])).toEqual([]);
  });

  it('does not take the pauses between the bursts of a bus for gaps', () => {
    const bus = channel('/can/0/raw');
    const bursts = range(0, 300).flatMap((burst) => [0, 0.0001, 0.0002, 0.0003].map((offset) => burst * 0.01 + offset));
    const broken = bursts.filter((time) => time < 1 || time > 1.5);
    expect(findGaps(at(bus, bursts), interval(0, 3), [bus])).toEqual([]);
    expect(findGaps(at(bus, broken), interval(0, 3), [bus])).toHaveLength(1);
  });

  it('names no more than the maximum per topic, the longest', () => {
    const a = channel('/a', 1);
    const times = range(0, 200).map((index) => index * 4 + (index > 100 ? 1 : 0));
    const gaps = findGaps(at(a, times), interval(0, 801), [a]);
    expect(gaps).toHaveLength(GAPS_PER_TOPIC_MAX);
    expect(gaps.map(seconds)).toContainEqual(['/a', 400, 405]);
  });
});

describe('losses', () => {
  it('counts what the sequence jumps over, per topic, and nothing when it stands still or goes back', () => {
    const a = channel('/a');
    const sequences = [0, 1, 4, 5, 5, 3, 6];
    const messages = at(a, range(0, 6)).map(
      (message, index): SourceMessage => ({ ...message, sequence: sequences[index] ?? 0 }),
    );
    expect(countLosses([...messages, ...at(channel('/b'), [1, 2, 3])])).toEqual({ '/a': 2 });
  });
});
