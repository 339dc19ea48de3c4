/** Why: power goes at the worst moment and disks fail in the middle of a write; what the spool has acknowledged must not go with them. */
import { env } from 'node:process';
import { describe, expect, it } from 'vitest';
import { withoutFileSync, withoutFolderSync, withRemovalBeforeTombstone } from './broken-disks.ts';
import { exploreCuts, exploreDamage, exploreFaults, type Exploration, type Scenario } from './scenario.ts';
import { spoolScenario } from './spool-scenario.ts';

const POINTS_MIN = 1_000;
const DAMAGES_PER_STORY = 30;
/** Set both to replay one point. */
const CUT = env['FLEETLOOP_CRASH_CUT'];
const FIRST_SEED = Number(env['FLEETLOOP_CRASH_SEED'] ?? 1);
const SEEDS = Array.from({ length: CUT === undefined ? 6 : 1 }, (_, index) => FIRST_SEED + index);
/** Every write of a story fails in six ways: fewer stories are enough. */
const FAULT_SEEDS = SEEDS.slice(0, 3);
const CANARY_SEEDS = SEEDS.slice(0, 3);

const ROOMY = spoolScenario('a spool with room', { quotaBytes: 1_000_000, reserveBytes: 1_000 });
const NARROW = spoolScenario('a spool that gives up recordings', { quotaBytes: 9_000, reserveBytes: 1_000 });
const FULL = spoolScenario('a disk that is full', {
  quotaBytes: 1_000_000,
  reserveBytes: 4_000,
  capacityBytes: 24_000,
});

async function explore(
  stories: { readonly scenarios: readonly Scenario[]; readonly seeds: readonly number[] },
  one: (scenario: Scenario, seed: number) => Promise<Exploration>,
): Promise<Exploration> {
  const all: Exploration[] = [];
  for (const scenario of stories.scenarios) for (const seed of stories.seeds) all.push(await one(scenario, seed));
  return { points: all.reduce((sum, each) => sum + each.points, 0), findings: all.flatMap((each) => each.findings) };
}

describe('the spool in the crash lab', () => {
  it('loses nothing and doubles nothing wherever the power goes', async () => {
    const { points, findings } = await explore(
      { scenarios: [ROOMY, NARROW, FULL], seeds: SEEDS },
      async (scenario, seed) => exploreCuts(scenario, { seed }, CUT === undefined ? undefined : Number(CUT)),
    );
    console.log(`${points} cut points, seeds ${SEEDS.join(', ')}`);
    expect(findings).toEqual([]);
    if (CUT === undefined) expect(points).toBeGreaterThanOrEqual(POINTS_MIN);
  });

  it.each([
    ['ENOSPC', 1],
    ['ENOSPC', 6],
    ['EIO', 1],
    ['EIO', 6],
    ['short', 1],
    ['short', 40],
  ] as const)('loses nothing when writes fail with %s, %i in a row', async (kind, times) => {
    const { points, findings } = await explore(
      { scenarios: [ROOMY, NARROW], seeds: FAULT_SEEDS },
      async (scenario, seed) => exploreFaults(scenario, { seed }, { kind, times }),
    );
    expect(findings).toEqual([]);
    expect(points).toBeGreaterThan(0);
  });

  it('starts and keeps the rest when a file was cut short or holds other bits', async () => {
    const { points, findings } = await explore(
      { scenarios: [ROOMY, NARROW], seeds: FAULT_SEEDS },
      async (scenario, seed) => exploreDamage(scenario, { seed }, DAMAGES_PER_STORY),
    );
    expect(findings).toEqual([]);
    expect(points).toBeGreaterThan(0);
  });

  it.each([
    ['that does not sync files', withoutFileSync],
    ['that does not sync folders', withoutFolderSync],
    ['that removes a recording before its tombstone', withRemovalBeforeTombstone],
  ])('catches a build %s', async (_, wrap) => {
    let found = 0;
    for (const seed of CANARY_SEEDS) found += (await exploreCuts(NARROW, { seed, wrap })).findings.length;
    expect(found).toBeGreaterThan(0);
  });
});
