import { describe, expect, it } from 'vitest';
import { findSilences, GAPS_PER_TOPIC_MAX, type Span } from './gaps.ts';
import { TopicTimes } from './topic-times.ts';

const NS = 1_000_000_000;

const at = (seconds: readonly number[]): Float64Array =>
  Float64Array.from(seconds, (second) => Math.round(second * NS));
const interval = (from: number, to: number): Span => ({ start: from * NS, end: to * NS });
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const seconds = (silence: Span): [number, number] => [silence.start / NS, silence.end / NS];

describe('gaps', () => {
  it('finds a silence of more than three periods of the declared rate and no shorter one', () => {
    expect(findSilences(at([0, 1, 2, 5, 6, 7, 11, 12]), 1, interval(0, 12)).map(seconds)).toEqual([[7, 11]]);
  });

  it('sees a channel with a rate that is silent at the edges or throughout', () => {
    expect(findSilences(at(range(5, 10)), 1, interval(0, 15)).map(seconds)).toEqual([
      [0, 5],
      [10, 15],
    ]);
    expect(findSilences(at([]), 10, interval(0, 15)).map(seconds)).toEqual([[0, 15]]);
  });

  it('measures a channel without a rate against its own usual period', () => {
    expect(findSilences(at([...range(0, 10), ...range(17, 30)]), undefined, interval(0, 30)).map(seconds)).toEqual([
      [10, 17],
    ]);
    expect(findSilences(at([0, 10]), undefined, interval(0, 30))).toEqual([]);
  });

  it('does not take the pauses between the bursts of a bus for gaps', () => {
    const bursts = range(0, 300).flatMap((burst) => [0, 0.0001, 0.0002, 0.0003].map((offset) => burst * 0.01 + offset));
    const broken = bursts.filter((time) => time < 1 || time > 1.5);
    expect(findSilences(at(bursts), undefined, interval(0, 3))).toEqual([]);
    expect(findSilences(at(broken), undefined, interval(0, 3))).toHaveLength(1);
  });

  it('names no more than the maximum per topic, the longest', () => {
    const times = range(0, 200).map((index) => index * 4 + (index > 100 ? 1 : 0));
    const gaps = findSilences(at(times), 1, interval(0, 801));
    expect(gaps).toHaveLength(GAPS_PER_TOPIC_MAX);
    expect(gaps.map(seconds)).toContainEqual([400, 405]);
  });
});

describe('losses', () => {
  it('counts what the sequence jumps over, and nothing when it stands still or goes back', () => {
    const times = new TopicTimes();
    for (const [index, sequence] of [0, 1, 4, 5, 5, 3, 6].entries()) times.add(index, sequence);
    expect(times.lost).toBe(2);
  });

  it('puts times in order that came out of order', () => {
    const times = new TopicTimes();
    for (const time of [3, 1, 2]) times.add(time, 0);
    expect([...times.ascending()]).toEqual([1, 2, 3]);
  });
});
