import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY_MS } from './daily-budget.ts';
import { fixedNetworkClass, type NetworkClass } from './network-class.ts';
import { TrafficBudget } from './traffic-budget.ts';
import { UplinkConfig } from './uplink-config.ts';

const MIB = 1_024 * 1_024;
const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const DAILY = 20 * MIB;
const PIECE = 256 * 1_024;
const config = UplinkConfig.parse({ networks: { cellular: { dailyBytes: DAILY } } });

/** A vehicle whose clocks and disk are told what to do. */
class World {
  monotonicMs = 0;
  wallMs = 1_000_000_000_000;
  text: string | undefined;
  writes = 0;
  isDiskFull = false;

  async start(): Promise<TrafficBudget> {
    const clock = {
      nowMs: () => this.wallMs,
      monotonicMs: () => this.monotonicMs,
      wait: async () => {},
      random: () => 0.5,
    };
    const files = {
      readText: async () => this.text,
      writeText: async (_: string, text: string) => {
        if (this.isDiskFull) throw new Error('no space');
        this.writes += 1;
        this.text = text;
      },
    };
    const budget = new TrafficBudget({ config, network: fixedNetworkClass('cellular'), files, clock, logger: QUIET });
    await budget.restore();
    return budget;
  }

  /** Sends until the budget says no; returns the bytes that went. */
  async sendAll(budget: TrafficBudget, most = Number.POSITIVE_INFINITY): Promise<number> {
    let sent = 0;
    for (let idle = 0; idle < 3 && sent + PIECE <= most; ) {
      if (budget.dayWaitMs('bulk', PIECE) > 0) break;
      if (budget.flowWaitMs(PIECE) === 0) {
        budget.spend(PIECE);
        sent += PIECE;
        idle = 0;
      } else idle += 1;
      // Lets a write of the lease come to its end.
      for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    }
    return sent;
  }
}

describe('the budget of the day on disk', () => {
  it('gives each byte once over kills, restarts and steps of the wall clock back and forth', async () => {
    const life = fc.record({
      most: fc.integer({ min: 0, max: DAILY }),
      isKilled: fc.boolean(),
      stepMs: fc.integer({ min: -10 * DAY_MS, max: DAY_MS / 100 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 12 }), async (lives) => {
        const world = new World();
        const firstWallMs = world.wallMs;
        let latestWallMs = firstWallMs;
        let sent = 0;
        for (const { most, isKilled, stepMs } of lives) {
          const budget = await world.start();
          sent += await world.sendAll(budget, most);
          if (!isKilled) await budget.close();
          world.wallMs += stepMs;
          latestWallMs = Math.max(latestWallMs, world.wallMs);
        }
        const days = Math.floor((latestWallMs - firstWallMs) / DAY_MS) + 1;
        expect(sent).toBeLessThanOrEqual(days * DAILY);
      }),
      { numRuns: 60 },
    );
  });

  it('continues after a clean stop with exactly what was left', async () => {
    const world = new World();
    const first = await world.start();
    expect(await world.sendAll(first, 4 * MIB)).toBe(4 * MIB);
    await first.close();
    expect((await world.start()).leftToday('bulk')).toBe(DAILY - 4 * MIB);
  });

  it('begins a new day on the monotonic clock', async () => {
    const world = new World();
    const budget = await world.start();
    expect(await world.sendAll(budget)).toBe(DAILY);
    world.wallMs += 3 * DAY_MS;
    expect(budget.dayWaitMs('bulk', PIECE)).toBe(DAY_MS);
    world.monotonicMs += DAY_MS;
    expect(budget.dayWaitMs('bulk', PIECE)).toBe(0);
    expect(await world.sendAll(budget)).toBe(DAILY);
  });

  it('writes seldom, and goes on when the disk takes nothing', async () => {
    const world = new World();
    const budget = await world.start();
    await world.sendAll(budget);
    expect(world.writes).toBeLessThanOrEqual(DAILY / MIB);
    world.isDiskFull = true;
    world.monotonicMs += DAY_MS;
    expect(await world.sendAll(budget)).toBe(DAILY);
  });

  it('sends nothing offline, and begins again when the network is told', () => {
    let networkClass: NetworkClass = 'offline';
    let told = 0;
    const listeners: (() => void)[] = [];
    const network = { current: () => networkClass, onChange: (listener: () => void) => void listeners.push(listener) };
    const clock = { nowMs: () => 0, monotonicMs: () => 0, wait: async () => {}, random: () => 0 };
    const budget = new TrafficBudget({ config, network, files: undefined, clock, logger: QUIET });
    budget.onChange(() => (told += 1));
    expect(budget.dayWaitMs('safety', 1)).toBe(Number.POSITIVE_INFINITY);
    networkClass = 'wifi';
    for (const listener of listeners) listener();
    expect([told, budget.dayWaitMs('safety', 1), budget.flowWaitMs(1)]).toEqual([1, 0, 0]);
  });
});
