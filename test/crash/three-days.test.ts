/** Why: three days on the road are outages of hours, cuts, budgets, a full disk, restarts and power cuts; at their end everything has arrived or is told, and little was sent twice. */
import { env } from 'node:process';
import { UplinkConfig, type VehicleAgentOptions } from '@fleetloop/edge-agent';
import { seededRandom } from '@fleetloop/sim';
import { describe, expect, it, vi } from 'vitest';
import {
  CAMERA,
  type CampaignName,
  CAMPAIGNS,
  clockBetween,
  desiredText,
  MOTION,
  motionAt,
  pictureAt,
  redactor,
} from './agent-drive.ts';
import { AgentLife, VEHICLE } from './agent-life.ts';
import { AgentWitness } from './agent-witness.ts';
import { CrashDisk } from './crash-disk.ts';
import { FRIENDLY, HOSTILE, HostileCloud } from './hostile-cloud.ts';
import { HostileLink } from './hostile-link.ts';
import { VirtualClock } from './virtual-clock.ts';

vi.mock('node:zlib', async () => (await import('./lockstep.ts')).lockstepZlib);
vi.mock('node:crypto', async () => (await import('./lockstep.ts')).lockstepCrypto);

type NetworkClass = ReturnType<NonNullable<VehicleAgentOptions['network']>['current']>;

const SEED = Number(env['FLEETLOOP_CRASH_SEED'] ?? 1);
const HOURS = Number(env['FLEETLOOP_CRASH_HOURS'] ?? 72);
const SLOT_MS = 300_000;
const SLOTS = (HOURS * 3_600_000) / SLOT_MS;
const PICTURE_BYTES = 16_000;
const REPEATED_SHARE_MAX = 1.02;
/** Days until the last bulk recording has had its budget. */
const REST_HOURS_MAX = 96;
const MIB = 1024 * 1024;

const CLASSES: readonly NetworkClass[] = ['wifi', 'cellular', 'metered', 'roaming'];
const CONFIG = UplinkConfig.parse({
  storedAskMs: 600_000,
  networks: {
    metered: { dailyBytes: 8 * MIB, safetyReserveBytes: 3 * MIB, normalReserveBytes: 2 * MIB },
    roaming: { dailyBytes: 4 * MIB, safetyReserveBytes: 3 * MIB },
  },
});

class ThreeDays {
  readonly #random = seededRandom(SEED);
  readonly clock = new VirtualClock(seededRandom(SEED + 1));
  readonly cloud = new HostileCloud(seededRandom(SEED + 2), { ...HOSTILE, acknowledgementLost: 0.002 });
  readonly witness = new AgentWitness();
  #disk = new CrashDisk({ random: seededRandom(SEED + 3) });
  #life: AgentLife | undefined;
  #link: HostileLink | undefined;
  #outageSlots = 0;
  #rate = 200_000;
  #class: NetworkClass = 'wifi';
  #onClass: () => void = () => {};
  #sequence = 0;
  #sessions = 0;
  #sentBytes = 0;
  cuts = 0;
  restarts = 0;
  outages = 0;

  get sentBytes(): number {
    return this.#sentBytes + (this.#link?.sentBytes ?? 0);
  }
  get life(): AgentLife {
    return this.#life as AgentLife;
  }

  async start(): Promise<void> {
    this.clock.stop();
    this.#link?.down();
    this.#sentBytes = this.sentBytes;
    this.witness.restarted();
    const link = new HostileLink({
      vehicleId: VEHICLE,
      cloud: this.cloud,
      clock: this.clock,
      desired: () => desiredText(1, Object.values(CAMPAIGNS)),
      bytesPerS: () => this.#rate,
    });
    this.#link = link;
    this.#life = await AgentLife.start({
      disk: this.#disk,
      link,
      clock: this.clock,
      uplinkConfig: CONFIG,
      redactor: redactor(),
      network: {
        current: () => this.#class,
        onChange: (listener) => (this.#onClass = listener),
      },
      limits: {
        spoolLimits: {
          quotaBytes: 6 * MIB,
          reserveBytes: 1e5,
          safetyFloorBytes: 3 * MIB,
        },
        ringBytesMax: 4 * MIB,
        ringLimits: {
          quotaBytes: 4 * MIB,
          segmentBytes: MIB / 2,
        },
      },
      onLog: (line) => this.witness.log(line),
    });
    if (this.#outageSlots === 0) link.up();
    await this.clock.pass(1_000);
  }

  /** Five minutes. */
  async slot(): Promise<void> {
    const random = this.#random;
    this.#outage();
    if (random.chance(0.1)) this.#rate = random.integer(20_000, 1_000_000);
    if (random.chance(0.05)) {
      this.#class = CLASSES[random.integer(0, CLASSES.length - 1)] ?? 'wifi';
      this.#onClass();
    }
    if (random.chance(0.01)) this.clock.stepWall(random.integer(-3_600_000, 3_600_000));
    if (random.chance(0.25)) await this.#drive();
    if (random.chance(0.01)) await this.#restart();
    await this.clock.pass(random.integer(1, SLOT_MS));
    if (random.chance(0.01)) await this.#cut();
  }

  /** The rest: a good link, and time. */
  async rest(): Promise<number> {
    this.#class = 'wifi';
    this.#onClass();
    this.#rate = 500_000;
    this.cloud.hostility = FRIENDLY;
    this.#link?.up();
    const waiting = (): number => {
      const { spooled, tombstonesWaiting = 0 } = this.life.agent.report().uplink;
      return spooled + tombstonesWaiting;
    };
    for (let hours = 0; waiting() > 0 && hours < REST_HOURS_MAX; hours += 1) await this.clock.pass(3_600_000);
    return waiting();
  }

  #outage(): void {
    if (this.#outageSlots > 0) {
      this.#outageSlots -= 1;
      if (this.#outageSlots === 0) this.#link?.up();
      return;
    }
    if (this.#random.chance(0.02)) {
      this.outages += 1;
      this.#outageSlots = this.#random.integer(1, 60);
      this.#link?.down();
    } else if (this.#random.chance(0.05)) {
      this.#link?.down();
      this.#link?.up();
    }
  }

  async #drive(): Promise<void> {
    this.#sessions += 1;
    const session = `drive-${this.#sessions}`;
    this.life.feed.begin({ session, channels: [MOTION, CAMERA], clockBetween });
    const names = Object.keys(CAMPAIGNS) as CampaignName[];
    const firing = new Set([10, this.#random.integer(11, 25)]);
    for (let index = 0; index < 40; index += 1) {
      await this.clock.pass(200);
      const ms = this.clock.monotonicMs();
      this.#sequence += 1;
      const what = firing.has(index) ? (names[this.#random.integer(0, 2)] as CampaignName) : 'quiet';
      const messages = [pictureAt(ms, this.#sequence, PICTURE_BYTES), motionAt(ms, this.#sequence, what)];
      for (const message of messages) this.witness.given(session, ms, message);
      if (what !== 'quiet') this.witness.fired(session, ms, what);
      await this.life.feed.push(...messages);
      const { disk } = this.life.agent.status().record.ring;
      if (disk?.state === 'disk' && disk.waitingBlocks + disk.waitingClaims === 0) this.witness.flushed();
      // Power may go while an event is open.
      if (this.#random.chance(0.0005)) return this.#cut();
    }
    this.life.feed.end();
    this.witness.ended(session, this.clock.monotonicMs());
  }

  async #restart(): Promise<void> {
    this.restarts += 1;
    await this.life.stop();
    await this.start();
  }

  async #cut(): Promise<void> {
    this.cuts += 1;
    this.#disk = new CrashDisk({ random: seededRandom(SEED + 10 + this.cuts), survived: this.#disk.cut() });
    await this.start();
  }
}

describe('three days on the road', () => {
  it('end with every safety event in the cloud, everything else there or told, and little sent twice', async () => {
    const days = new ThreeDays();
    await days.start();
    for (let slot = 0; slot < SLOTS; slot += 1) await days.slot();
    expect(await days.rest()).toBe(0);
    const { cloud, witness } = days;
    const needed = [...cloud.verified.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
    const share = days.sentBytes / needed;
    console.log(
      `seed ${SEED}: ${witness.triggers} triggers, ${cloud.verified.size} recordings, ${cloud.tombstones.size} tombstones, ` +
        `${days.outages} outages, ${days.restarts} restarts, ${days.cuts} power cuts, ` +
        `${(needed / MIB).toFixed(1)} MiB needed, sent ${share.toFixed(4)} times`,
    );
    await days.life.stop();
    expect(await witness.faults(cloud, () => true)).toEqual([]);
    expect([...cloud.tombstones.values()].filter(({ priority }) => priority === 'safety')).toEqual([]);
    expect(cloud.verified.size).toBeGreaterThan(HOURS / 2);
    expect(share).toBeLessThanOrEqual(REPEATED_SHARE_MAX);
  });
});
