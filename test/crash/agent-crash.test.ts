/** Why: a vehicle loses power, fills its disk and loses its link at the worst moment; what the agent has acknowledged must reach the cloud all the same, once. */
import { env } from 'node:process';
import { RecordingKeeper, SessionNotes, Spool } from '@fleetloop/edge-agent';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { agentScenario } from './agent-scenario.ts';
import { withoutClaimSync, withoutPostWindows } from './broken-disks.ts';
import { exploreCuts, exploreDamage, exploreFaults, type Finding, type LabOptions, type Scenario } from './scenario.ts';

vi.mock('node:zlib', async () => (await import('./lockstep.ts')).lockstepZlib);
vi.mock('node:crypto', async () => (await import('./lockstep.ts')).lockstepCrypto);

/** Set both to replay one point. */
const CUT = env['FLEETLOOP_CRASH_CUT'];
const FIRST_SEED = Number(env['FLEETLOOP_CRASH_SEED'] ?? 1);
/** Points of each kind of trouble, over all stories; the whole of a story has some two hundred. */
const POINTS = Number(env['FLEETLOOP_CRASH_POINTS'] ?? 180);

const ROOMY = agentScenario('an agent with room', { quotaBytes: 10_000_000, reserveBytes: 1_000, ringBytes: 400_000 });
const NARROW = agentScenario('an agent that gives up recordings', {
  quotaBytes: 4e4,
  reserveBytes: 1e3,
  ringBytes: 3e4,
});
const FULL = agentScenario('an agent on a full disk', {
  quotaBytes: 1e7,
  reserveBytes: 1e4,
  ringBytes: 6e4,
  capacityBytes: 26e4,
});
const STORIES = [ROOMY, NARROW, FULL].flatMap((scenario) =>
  [FIRST_SEED, FIRST_SEED + 1, FIRST_SEED + 2].map((seed) => ({ scenario, seed })),
);

type Explored = { readonly points: number; readonly findings: readonly Finding[] };

async function explore(
  stories: readonly { readonly scenario: Scenario; readonly seed: number }[],
  points: number,
  one: (scenario: Scenario, options: LabOptions) => Promise<Explored>,
): Promise<Explored> {
  const pointsMax = Math.ceil(points / stories.length);
  const all: Explored[] = [];
  for (const { scenario, seed } of stories) all.push(await one(scenario, { seed, pointsMax }));
  return { points: all.reduce((sum, each) => sum + each.points, 0), findings: all.flatMap((each) => each.findings) };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the whole agent in the crash lab', () => {
  it('loses nothing that it acknowledged and doubles nothing wherever the power goes', async () => {
    const { points, findings } = await explore(STORIES, POINTS, async (scenario, options) =>
      exploreCuts(scenario, options, CUT === undefined ? undefined : Number(CUT)),
    );
    console.log(`${points} cut points of the agent, seeds from ${FIRST_SEED}`);
    expect(findings).toEqual([]);
    expect(points).toBeGreaterThan(0);
  });

  it.each([
    ['ENOSPC', 1],
    ['ENOSPC', 8],
    ['EIO', 1],
    ['EIO', 8],
    ['short', 40],
  ] as const)('loses nothing when writes fail with %s, %i in a row', async (kind, times) => {
    const { points, findings } = await explore(STORIES.slice(0, 4), POINTS / 6, async (scenario, options) =>
      exploreFaults(scenario, options, { kind, times }),
    );
    expect(findings).toEqual([]);
    expect(points).toBeGreaterThan(0);
  });

  it('starts and keeps what does not depend on it when a file was cut short or holds other bits', async () => {
    const { points, findings } = await explore(STORIES, POINTS / 3, async (scenario, options) =>
      exploreDamage(scenario, options, options.pointsMax ?? 1),
    );
    expect(findings).toEqual([]);
    expect(points).toBeGreaterThan(0);
  });
});

/** Each breaks one promise, and the rule that watches over it must say so. */
const CANARIES: readonly {
  readonly what: string;
  readonly rule: string;
  readonly options: () => Partial<LabOptions>;
}[] = [
  {
    what: 'that says that claims are on disk when they are not',
    rule: 'acknowledged',
    options: () => ({ wrap: withoutClaimSync }),
  },
  { what: 'that claims no post-windows', rule: 'post-window', options: () => ({ wrap: withoutPostWindows }) },
  {
    what: 'whose keeper lets the ring go before the recording is on disk',
    rule: 'acknowledged',
    options: () => {
      // oxlint-disable-next-line typescript/unbound-method -- called with its own `this` below
      const { take } = RecordingKeeper.prototype;
      vi.spyOn(RecordingKeeper.prototype, 'take').mockImplementation(function (this: RecordingKeeper, effects, signal) {
        for (const effect of effects) if (effect.kind === 'close') effect.recording.release();
        return take.call(this, effects, signal);
      });
      return {};
    },
  },
  {
    what: 'that stores what it redacted without a word of it',
    rule: 'redaction',
    options: () => {
      vi.spyOn(SessionNotes.prototype, 'of').mockReturnValue(undefined);
      return {};
    },
  },
  {
    what: 'whose uplink takes a recording for verified without a receipt',
    rule: 'spooled',
    options: () => {
      // oxlint-disable-next-line typescript/unbound-method -- called with its own `this` below
      const { readChunk } = Spool.prototype;
      vi.spyOn(Spool.prototype, 'readChunk').mockImplementation(async function (this: Spool, entry, index) {
        const chunk = await readChunk.call(this, entry, index);
        await this.verified(entry.eventId, 1n);
        return chunk;
      });
      return {};
    },
  },
  {
    what: 'that uploads what may still become longer',
    rule: 'acknowledged',
    options: () => {
      // oxlint-disable-next-line typescript/unbound-method -- called with its own `this` below
      const { entries } = Spool.prototype;
      vi.spyOn(Spool.prototype, 'entries').mockImplementation(function (this: Spool) {
        return entries.call(this).map((entry) => ({ ...entry, isSettled: true }));
      });
      return {};
    },
  },
];

describe('a broken build', () => {
  it.each(CANARIES)('$what is caught', async ({ rule, options }) => {
    const broken = options();
    const found = new Set<string>();
    for (let seed = 1; seed <= 6 && !found.has(rule); seed += 1) {
      const { findings } = await exploreCuts(ROOMY, { seed, pointsMax: 25, ...broken });
      for (const { faults } of findings) for (const fault of faults) found.add(fault.slice(0, fault.indexOf(':')));
    }
    expect([...found]).toContain(rule);
  });
});
