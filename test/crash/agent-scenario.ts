/** A vehicle on the road: triggers that overlap, pulls, campaigns that change, a link that comes and goes, and a disk that may be small. */
import { type Disk, DurableFiles, Spool, UplinkConfig } from '@fleetloop/edge-agent';
import type { Campaign, PullRequest } from '@fleetloop/schemas';
import type { SeededRandom } from '@fleetloop/sim';
import {
  type CampaignName,
  CAMPAIGNS,
  clockBetween,
  desiredText,
  type FIRING,
  MOTION,
  CAMERA,
  motionAt,
  nsAt,
  pictureAt,
  redactor,
} from './agent-drive.ts';
import { AgentLife, STATE, VEHICLE } from './agent-life.ts';
import { AgentWitness } from './agent-witness.ts';
import type { CrashDisk } from './crash-disk.ts';
import { FRIENDLY, HOSTILE, HostileCloud } from './hostile-cloud.ts';
import { HostileLink } from './hostile-link.ts';
import type { Scenario, ScenarioRun } from './scenario.ts';
import { VirtualClock } from './virtual-clock.ts';

const STEPS = 14;
const STEP_MS = 100;
const PICTURE_BYTES = 300;
/** How long the end of a story may take until all is told, ms. */
const UPLOAD_MS_MAX = 3_600_000;
const UPLOAD_STEP_MS = 5_000;
/** Short, so that a story sees it. */
const STORED_ASK_MS = 10_000;

export type AgentScenarioOptions = {
  readonly quotaBytes: number;
  readonly reserveBytes: number;
  readonly ringBytes: number;
  readonly capacityBytes?: number;
};

export function agentScenario(name: string, options: AgentScenarioOptions): Scenario {
  const { capacityBytes } = options;
  return {
    name,
    ...(capacityBytes === undefined ? {} : { capacityBytes }),
    make: (random) => new AgentStory(random, options).run(),
  };
}

class AgentStory {
  readonly #random: SeededRandom;
  readonly #options: AgentScenarioOptions;
  readonly #clock: VirtualClock;
  readonly #cloud: HostileCloud;
  readonly #witness = new AgentWitness();
  #disk: Disk | undefined;
  #life: AgentLife | undefined;
  #link: HostileLink | undefined;
  #campaigns: readonly Campaign[] = Object.values(CAMPAIGNS);
  #pulls: readonly PullRequest[] = [];
  #version = 1;
  #boots = 0;
  #sessions = 0;
  #session = '';
  #sequence = 0;
  #opens = 0;
  /** Messages that this life of the agent was given. */
  #fed = 0;

  constructor(random: SeededRandom, options: AgentScenarioOptions) {
    this.#random = random;
    this.#options = options;
    this.#clock = new VirtualClock(random);
    this.#cloud = new HostileCloud(random, HOSTILE);
  }

  run(): ScenarioRun {
    return {
      open: async (disk) => this.#open(disk),
      steps: [async () => this.#begin(), ...Array.from({ length: STEPS }, () => async () => this.#step())],
      check: async (disk) => this.#check(disk, async (isWithdrawn) => this.#allFaults(disk, isWithdrawn)),
      checkDamaged: async (disk, damaged) => this.#checkDamaged(disk, damaged),
    };
  }

  async #open(disk: Disk): Promise<void> {
    // Whatever runs on a machine without power does not run any more.
    this.#clock.stop();
    this.#link?.down();
    this.#witness.restarted();
    this.#disk = disk;
    this.#boots += 1;
    this.#opens += 1;
    this.#fed = 0;
    const clock = this.#clock;
    const link = new HostileLink({
      vehicleId: VEHICLE,
      cloud: this.#cloud,
      clock,
      desired: () => desiredText(this.#version, this.#campaigns, this.#pulls),
    });
    this.#link = link;
    const { quotaBytes, reserveBytes, ringBytes } = this.#options;
    this.#life = await AgentLife.start({
      disk,
      link,
      clock,
      limits: {
        spoolLimits: {
          quotaBytes,
          reserveBytes,
          safetyFloorBytes: Math.floor(quotaBytes / 8),
        },
        ringBytesMax: 1e6,
        ringLimits: {
          quotaBytes: ringBytes,
          segmentBytes: Math.floor(ringBytes / 6),
          retryMs: 200,
        },
      },
      uplinkConfig: UplinkConfig.parse({ storedAskMs: STORED_ASK_MS }),
      redactor: redactor(),
      onLog: (line) => this.#witness.log(line),
    });
    await clock.pass(50);
  }

  async #begin(): Promise<void> {
    this.#link?.up();
    await this.#clock.pass(100);
    if (this.#random.chance(0.5)) this.#link?.down();
    await this.#newSession();
  }

  async #step(): Promise<void> {
    const choice = this.#random.integer(0, 15);
    if (choice < 8) return this.#drive(this.#random.integer(5, 15), 0.12);
    if (choice === 8) return this.#newSession();
    if (choice === 9) return this.#reboot();
    if (choice < 12) {
      if (this.#link?.isConnected === true) this.#link.down();
      else this.#link?.up();
      return this.#clock.pass(this.#random.integer(100, 4_000));
    }
    if (choice === 12) this.#clock.stepWall(this.#random.integer(-7_200_000, 7_200_000));
    else if (choice === 13) this.#changeCampaigns();
    else this.#changePulls();
    return this.#clock.pass(STEP_MS);
  }

  async #newSession(): Promise<void> {
    if (this.#sessions > 0) this.#witness.ended(this.#session, this.#lastMs);
    this.#sessions += 1;
    this.#session = `boot-${this.#boots}/${this.#sessions}`;
    this.#life?.feed.begin({ session: this.#session, channels: [MOTION, CAMERA], clockBetween });
    await this.#drive(3, 0);
  }

  #lastMs = 0;

  /** Messages in their time; now and then one at which a campaign fires. */
  async #drive(count: number, share: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      await this.#clock.pass(STEP_MS);
      const isFiring = this.#random.chance(share);
      const names = Object.keys(CAMPAIGNS) as CampaignName[];
      await this.#give(isFiring ? (names[this.#random.integer(0, 2)] as CampaignName) : 'quiet');
    }
  }

  async #give(what: keyof typeof FIRING): Promise<void> {
    const ms = this.#clock.monotonicMs();
    this.#sequence += 1;
    const messages = [pictureAt(ms, this.#sequence, PICTURE_BYTES), motionAt(ms, this.#sequence, what)];
    const { agent, feed } = this.#life as AgentLife;
    const isActive = agent.report().campaigns.some(({ id, state }) => id === what && state === 'active');
    for (const message of messages) this.#witness.given(this.#session, ms, message);
    if (what !== 'quiet' && isActive) this.#witness.fired(this.#session, ms, what);
    this.#lastMs = ms;
    await feed.push(...messages);
    const { capture, record } = agent.status();
    const { disk } = record.ring;
    // A session that waits for the one before it has not been looked at yet.
    this.#fed += messages.length;
    if (capture.messages < this.#fed) return;
    if (disk?.state === 'disk' && disk.waitingBlocks === 0 && disk.waitingClaims === 0) this.#witness.flushed();
  }

  /** A stop and a start in order: the session ends, and a new one begins. */
  async #reboot(): Promise<void> {
    await this.#life?.stop();
    this.#witness.ended(this.#session, this.#lastMs);
    await this.#open(this.#disk as Disk);
    this.#link?.up();
    await this.#clock.pass(100);
    this.#sessions = 0;
    await this.#newSession();
  }

  #changeCampaigns(): void {
    const without = this.#campaigns.filter(({ id }) => id !== 'bump');
    const bump = { ...CAMPAIGNS.bump, version: this.#version };
    this.#campaigns = without.length < this.#campaigns.length ? without : [...without, bump];
    this.#publish();
  }

  #changePulls(): void {
    if (this.#pulls.length > 1) this.#pulls = this.#pulls.slice(1);
    else {
      const ms = this.#clock.monotonicMs();
      const [fromNs, toNs] = [nsAt(ms - 2_500), nsAt(ms - 500)].map(String) as [string, string];
      const pull = { id: `p${this.#version}`, fromNs, toNs, requestedBy: 'lab', reason: '', priority: 'bulk' } as const;
      this.#pulls = [...this.#pulls, pull];
    }
    this.#publish();
  }

  #publish(): void {
    this.#version += 1;
    this.#link?.push();
  }

  /** The agent was started again on what is left. */
  async #check(
    disk: CrashDisk,
    faultsOf: (isWithdrawn: (eventId: string) => boolean) => Promise<readonly string[]>,
  ): Promise<readonly string[]> {
    await this.#clock.pass(1_000);
    const faults = halves(disk);
    faults.push(...(await this.#goesOn()));
    faults.push(...(await this.#upload()));
    await this.#life?.stop();
    const left = disk.paths().filter((path) => path.startsWith(`${STATE}/spool/queue/`));
    faults.push(...left.map((path) => `half: ${path} is left in the queue`));
    const { quotaBytes, reserveBytes } = this.#options;
    const limits = { quotaBytes, reserveBytes, safetyFloorBytes: 0 };
    const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const spool = await Spool.open({ disk, root: `${STATE}/spool`, clock: this.#clock, logger, limits });
    const isWithdrawn = (eventId: string): boolean => {
      const found = spool.explain(eventId);
      return found.kind === 'ended' && found.outcome.outcome === 'withdrawn';
    };
    return [...faults, ...(await faultsOf(isWithdrawn))];
  }

  async #checkDamaged(disk: CrashDisk, damaged: string): Promise<readonly string[]> {
    const damage = { isOfCapture: isOfCapture(damaged), verifiedBefore: new Set(this.#cloud.verified.keys()) };
    return this.#check(disk, async () => this.#witness.faultsOfDamage(this.#cloud, damage));
  }

  /** The next event is captured. */
  async #goesOn(): Promise<readonly string[]> {
    this.#link?.up();
    this.#cloud.hostility = FRIENDLY;
    await this.#clock.pass(200);
    const before = this.#witness.kept;
    this.#sessions = 0;
    await this.#newSession();
    await this.#drive(10, 0);
    await this.#give('brake');
    await this.#drive(25, 0);
    const state = this.#life?.agent.report().disk?.state ?? '';
    if (this.#witness.kept > before || state === 'refusing') return [];
    return [`goes-on: the next event is not recorded; the disk is ${state}`];
  }

  /** All that waits is told to the cloud. */
  async #upload(): Promise<readonly string[]> {
    this.#life?.feed.end();
    this.#witness.ended(this.#session, this.#lastMs);
    const waiting = (): number => {
      const { spooled, tombstonesWaiting = 0 } = (this.#life as AgentLife).agent.report().uplink;
      return spooled + tombstonesWaiting;
    };
    let passedMs = 0;
    for (; waiting() > 0 && passedMs < UPLOAD_MS_MAX; passedMs += UPLOAD_STEP_MS)
      await this.#clock.pass(UPLOAD_STEP_MS);
    return waiting() === 0 ? [] : [`told: ${waiting()} recordings or tombstones never reach the cloud`];
  }

  async #allFaults(disk: CrashDisk, isWithdrawn: (eventId: string) => boolean): Promise<readonly string[]> {
    const counted = await countedIn(disk);
    // Each power cut may take the count of the one recording that was being counted.
    const budget =
      counted >= this.#witness.kept - this.#opens ? [] : [`budget: ${counted} of ${this.#witness.kept} are counted`];
    return [...budget, ...(await this.#witness.faults(this.#cloud, isWithdrawn))];
  }
}

/** Small files are written anew before their half is in the way. */
function halves(disk: CrashDisk): string[] {
  const halfs = disk.paths().filter((path) => path.endsWith('.active') && /\/(spool|ring)\//.test(path));
  return halfs.map((path) => `half: ${path} is half there`);
}

/** Files without which nobody knows what was asked for: what is in them may be lost. */
const isOfCapture = (path: string): boolean => /\/ring\/|index\.journal$/.test(path);

async function countedIn(disk: Disk): Promise<number> {
  const text = await new DurableFiles(disk, STATE).readText('campaign-budgets.json');
  const { campaigns } = JSON.parse(text ?? '{"campaigns":[]}') as { campaigns: { entries: [string, number][] }[] };
  return campaigns.flatMap(({ entries }) => entries).reduce((sum, [, events]) => sum + events, 0);
}
