import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostileRoad } from './hostile-road.ts';
import { PERFECT_LINK } from './link-script.ts';

const HOURS = 72;
const COMPRESSION = 5_760;
const END_MS = (HOURS * 3_600_000) / COMPRESSION;
const MS_PER_HOUR = 3_600_000 / COMPRESSION;
const road = (seed: number) => hostileRoad({ seed, hours: HOURS, compression: COMPRESSION });
const seeds = fc.integer({ min: 0, max: 2 ** 31 });

describe('a hostile road', () => {
  it('is the same for the same seed', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(road(seed)).toEqual(road(seed));
      }),
    );
    expect(road(1).events).not.toEqual(road(2).events);
  });

  it('has cuts and two long outages, by time, and ends with a link on which nothing happens', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { events } = road(seed);
        const times = events.map(({ atMs }) => atMs);
        expect(times).toEqual(times.toSorted((left, right) => left - right));
        expect(events.at(-1)).toEqual({ kind: 'conditions', atMs: END_MS, conditions: PERFECT_LINK });
        for (const event of events) if ('forMs' in event) expect(event.atMs + event.forMs).toBeLessThanOrEqual(END_MS);
        const outages = events.flatMap((event) => (event.kind === 'outage' ? [event.forMs / MS_PER_HOUR] : []));
        expect(outages.filter((hours) => hours >= 7)).toHaveLength(2);
        expect(events.filter(({ kind }) => kind === 'cut').length).toBeGreaterThan(0);
      }),
    );
  });
});
