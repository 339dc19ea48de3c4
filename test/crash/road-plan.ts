/** What happens to a vehicle while its link does what the road makes it do: triggers, campaign pushes and kills, at moments of the seed. */
import { seededRandom } from '@fleetloop/sim';

const KILLS = 3;
const PUSHES = 14;
const FIRE_EVERY_MS_MIN = 200;
const FIRE_EVERY_MS_MAX = 1_400;

/** Values of one sample that make each campaign fire: speed in km/h, acceleration in m/s². */
export const SAMPLES = {
  quiet: [30, 0],
  brake: [30, -8],
  race: [180, 0],
  bump: [30, 8],
} as const;
export type RoadCampaign = Exclude<keyof typeof SAMPLES, 'quiet'>;

const CONDITIONS = {
  brake: { priority: 'safety', condition: 'push < -5.0' },
  race: { priority: 'normal', condition: 'speed > 100.0' },
  bump: { priority: 'bulk', condition: 'push > 5.0' },
} as const;
export const ROAD_CAMPAIGNS = Object.keys(CONDITIONS) as readonly RoadCampaign[];

export type RoadAction =
  | { readonly kind: 'fire'; readonly atMs: number; readonly campaign: RoadCampaign }
  | { readonly kind: 'push'; readonly atMs: number; readonly campaign: object }
  | { readonly kind: 'kill'; readonly atMs: number };

/** Its windows differ from version to version. */
export function roadCampaign(id: RoadCampaign, version: number, postWindowMs: number): object {
  return {
    kind: 'campaign',
    id,
    version,
    description: '',
    owner: 'lab',
    inputs: [
      { kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' },
      { kind: 'signal', name: 'push', path: 'Vehicle.Acceleration.Longitudinal', unit: 'm/s^2' },
    ],
    ...CONDITIONS[id],
    edge: 'rising',
    preWindowMs: 200,
    postWindowMs,
    eventMsMax: 2_000,
  };
}

/** By time; the vehicle starts with version 1 of each campaign. */
export function roadPlan(seed: number, durationMs: number): readonly RoadAction[] {
  const random = seededRandom(seed);
  const any = (): RoadCampaign => ROAD_CAMPAIGNS[random.integer(0, ROAD_CAMPAIGNS.length - 1)] ?? 'brake';
  const fires: RoadAction[] = [];
  for (let atMs = 0; atMs < durationMs; atMs += random.integer(FIRE_EVERY_MS_MIN, FIRE_EVERY_MS_MAX))
    fires.push({ kind: 'fire', atMs, campaign: any() });
  const versions = new Map<RoadCampaign, number>();
  const pushes = Array.from({ length: PUSHES }, () => random.next() * durationMs)
    .toSorted((left, right) => left - right)
    .map((atMs): RoadAction => {
      const id = any();
      const version = (versions.get(id) ?? 1) + 1;
      versions.set(id, version);
      return { kind: 'push', atMs, campaign: roadCampaign(id, version, random.integer(200, 700)) };
    });
  // One in each part of the journey, and none before anything is on disk.
  const kills = Array.from({ length: KILLS }, (_, part): RoadAction => {
    const share = (part + 0.2 + random.next() * 0.6) / KILLS;
    return { kind: 'kill', atMs: share * durationMs };
  });
  return [...fires, ...pushes, ...kills].toSorted((left, right) => left.atMs - right.atMs);
}
