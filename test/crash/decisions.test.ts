/** Why: what is recorded must not depend on the wall clock of the vehicle, nor on what else is pushed to it meanwhile. */
import { SessionClock } from '@fleetloop/edge-agent';
import { type Campaign, parseCampaign } from '@fleetloop/schemas';
import { fromMetadataRecords, type McapMetadataRecord, readRecording } from '@fleetloop/schemas/recording';
import { type SeededRandom, seededRandom } from '@fleetloop/sim';
import { describe, expect, it, vi } from 'vitest';
import { CAMERA, type CampaignName, CAMPAIGNS, desiredText, MOTION, motionAt, pictureAt } from './agent-drive.ts';
import { AgentLife, VEHICLE } from './agent-life.ts';
import { CrashDisk } from './crash-disk.ts';
import { FRIENDLY, HostileCloud } from './hostile-cloud.ts';
import { HostileLink } from './hostile-link.ts';
import { VirtualClock, WALL_START_MS } from './virtual-clock.ts';

vi.mock('node:zlib', async () => (await import('./lockstep.ts')).lockstepZlib);
vi.mock('node:crypto', async () => (await import('./lockstep.ts')).lockstepCrypto);

const SEEDS = [1, 2, 3, 4, 5, 6];
const MESSAGES = 300;
const STEP_MS = 100;
const HOURS_MS = 3_600_000;
const NS_PER_MS = 1_000_000;

type Disturbance = {
  /** Before each message, with the campaigns that are desired now. */
  readonly before: (drive: Drive, random: SeededRandom) => void;
};
type Drive = {
  readonly clock: VirtualClock;
  readonly push: (others: readonly Campaign[]) => void;
};

/** What reached the cloud: triggers and messages of each event, without what the wall clock stamps. */
type Seen = Readonly<Record<string, { readonly triggers: readonly string[]; readonly messages: readonly string[] }>>;

/** The same drive for the same seed, whatever disturbs it. */
async function drive(seed: number, disturb: Disturbance): Promise<Seen> {
  const clock = new VirtualClock(seededRandom(seed));
  const cloud = new HostileCloud(seededRandom(seed), FRIENDLY);
  const story = seededRandom(seed);
  const trouble = seededRandom(seed + 1_000);
  let [version, others]: [number, readonly Campaign[]] = [1, []];
  const own = [CAMPAIGNS.brake, CAMPAIGNS.race];
  const link = new HostileLink({
    vehicleId: VEHICLE,
    cloud,
    clock,
    desired: () => desiredText(version, [...own, ...others]),
  });
  const life = await AgentLife.start({
    disk: new CrashDisk({ random: seededRandom(seed) }),
    link,
    clock,
    onLog: () => {},
    limits: {
      spoolLimits: {
        quotaBytes: 1e8,
        reserveBytes: 1e3,
        safetyFloorBytes: 1e3,
      },
      ringBytesMax: 1e6,
      ringLimits: {},
    },
  });
  link.up();
  await clock.pass(100);
  const session = new SessionClock(
    {
      monotonicNs: () => BigInt(Math.round(clock.monotonicMs() * NS_PER_MS)),
      wallNs: () => BigInt(Math.round(clock.nowMs() * NS_PER_MS)),
    },
    { source: 'ntp', uncertaintyNs: 1 },
  );
  const sessionMs = (): number => Number(session.nowNs() / BigInt(NS_PER_MS)) - WALL_START_MS;
  life.feed.begin({ session: 'boot-1/1', channels: [MOTION, CAMERA], clockBetween: (a, b) => session.between(a, b) });
  const push = (pushed: readonly Campaign[]): void => {
    others = pushed;
    version += 1;
    link.push();
  };
  for (let sequence = 1; sequence <= MESSAGES; sequence += 1) {
    disturb.before({ clock, push }, trouble);
    await clock.pass(STEP_MS);
    session.sample();
    const name: CampaignName = story.chance(0.5) ? 'brake' : 'race';
    const what = story.chance(0.025) ? name : 'quiet';
    await life.feed.push(pictureAt(sessionMs(), sequence, 50), motionAt(sessionMs(), sequence, what));
  }
  life.feed.end();
  await clock.pass(30_000);
  await life.stop();
  expect(cloud.faults).toEqual([]);
  return seenIn(cloud);
}

async function seenIn(cloud: HostileCloud): Promise<Seen> {
  const seen: Record<string, Seen[string]> = {};
  for (const [eventId, { bytes }] of cloud.verified) {
    const records: McapMetadataRecord[] = [];
    const messages: string[] = [];
    for await (const item of readRecording([bytes])) {
      if (item.kind === 'metadata') records.push(item.record);
      else messages.push(`${item.message.channel.topic} ${item.message.sequence} ${item.message.logTimeNs}`);
    }
    const triggers = fromMetadataRecords(records).event?.triggers ?? [];
    seen[eventId] = { triggers: triggers.map(({ campaign, timeNs }) => `${campaign} ${timeNs}`), messages };
  }
  return seen;
}

const CALM: Disturbance = { before: () => {} };

/** A campaign that fires often, with windows that overlap none of the others' settling. */
const other = (version: number): Campaign =>
  parseCampaign({ ...CAMPAIGNS.bump, id: 'other', version, condition: 'push > 5.0 && speed < 0.0' });

const triggersOf = (seen: Seen): readonly string[] =>
  Object.values(seen)
    .flatMap(({ triggers }) => triggers)
    .toSorted();

describe('what is recorded', () => {
  it.each(SEEDS)('is the same with and without steps of the wall clock, seed %i', async (seed) => {
    let steps = 0;
    const stepping: Disturbance = {
      before: ({ clock }, random) => {
        if (!random.chance(0.1)) return;
        steps += 1;
        clock.stepWall(random.integer(-9 * HOURS_MS, 9 * HOURS_MS));
      },
    };
    const [calm, stepped] = [await drive(seed, CALM), await drive(seed, stepping)];
    expect(steps).toBeGreaterThan(3);
    expect(Object.keys(calm).length).toBeGreaterThan(1);
    expect(stepped).toEqual(calm);
  });

  it.each(SEEDS)('for a campaign is the same whatever else is pushed and taken away, seed %i', async (seed) => {
    let pushes = 0;
    const pushing: Disturbance = {
      before: ({ push }, random) => {
        if (!random.chance(0.2)) return;
        pushes += 1;
        push(random.chance(0.4) ? [] : [other(pushes)]);
      },
    };
    const [calm, pushed] = [await drive(seed, CALM), await drive(seed, pushing)];
    expect(pushes).toBeGreaterThan(10);
    expect(triggersOf(calm).length).toBeGreaterThan(3);
    expect(triggersOf(pushed)).toEqual(triggersOf(calm));
    expect(pushed).toEqual(calm);
  });
});
