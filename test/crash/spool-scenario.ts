/** The spool under capture and upload: a random story of additions, receipts and losses, and what must be true of it after a cut. */
import { createHash } from 'node:crypto';
import { type AgentClock, type Disk, Spool, type SpoolEntry } from '@fleetloop/edge-agent';
import { FleetError, PRIORITIES } from '@fleetloop/schemas';
import type { SeededRandom } from '@fleetloop/sim';
import type { CrashDisk } from './crash-disk.ts';
import type { Scenario, ScenarioRun } from './scenario.ts';
import { type SmallRecording, smallRecording } from './small-recording.ts';

const ROOT = '/state/spool';
const STEPS = 16;
const TRIES_MAX = 4;
const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

type Deed = 'settled' | 'verified' | 'refused' | 'quarantined' | 'withdrawn' | 'told' | 'stored';

/** What an observer outside knows of one event. */
type Witness = {
  readonly id: string;
  /** Recordings that were offered, the longest last. */
  readonly versions: SmallRecording[];
  /** Index of the longest that was acknowledged, -1 for none. */
  acknowledged: number;
  /** The spool said that there is no room for it. */
  isGivenUp: boolean;
  /** Begun, and so perhaps done. */
  readonly begun: Set<Deed>;
  readonly done: Set<Deed>;
};

export type SpoolScenarioOptions = {
  readonly quotaBytes: number;
  readonly reserveBytes: number;
  readonly capacityBytes?: number;
};

/** A story on a spool of a few recordings, so that it also has to give some up. */
export function spoolScenario(name: string, options: SpoolScenarioOptions): Scenario {
  const { capacityBytes } = options;
  return {
    name,
    ...(capacityBytes === undefined ? {} : { capacityBytes }),
    make: (random) => new SpoolStory(random, options).run(),
  };
}

class SpoolStory {
  readonly #random: SeededRandom;
  readonly #options: SpoolScenarioOptions;
  readonly #witnesses = new Map<string, Witness>();
  #spool: Spool | undefined;
  #disk: Disk | undefined;
  #nowMs = 1_000_000;

  constructor(random: SeededRandom, options: SpoolScenarioOptions) {
    this.#random = random;
    this.#options = options;
  }

  run(): ScenarioRun {
    const steps = Array.from({ length: STEPS }, (_, index) => async () => this.#step(index));
    return {
      open: async (disk) => this.#open(disk),
      steps,
      check: async (disk) => this.#check(disk),
      checkDamaged: async (disk, damaged) => this.#checkDamaged(disk, damaged),
    };
  }

  async #open(disk: Disk): Promise<void> {
    this.#disk = disk;
    const { quotaBytes, reserveBytes } = this.#options;
    const limits = { quotaBytes, reserveBytes, safetyFloorBytes: Math.floor(quotaBytes / 8) };
    this.#spool = await Spool.open({ disk, root: ROOT, clock: this.#clock(), logger: QUIET, limits });
    await this.#spool.recovered;
  }

  /** One thing that may happen, tried again a few times when the disk fails, as the agent does. */
  async #step(index: number): Promise<void> {
    this.#nowMs += 1_000;
    const one = this.#pick();
    const choice = this.#random.integer(0, 11);
    if (one === undefined || choice < 5) return this.#add(await this.#newEvent(index));
    const entry = this.spool.entry(one.id);
    if (choice === 5) return this.#extend(one);
    if (choice === 6) return this.#patiently(async () => this.#reopen());
    if (choice === 7) return this.#tell();
    if (entry?.isSettled !== true) return this.#do(one, 'settled', async () => this.spool.settle(one.id));
    if (choice === 8) return this.#do(one, 'stored', async () => this.spool.stored(one.id, 'relay-1'));
    if (choice === 9) return this.#do(one, 'refused', async () => this.spool.refused(one.id, 'INGEST_LIMIT', 'no'));
    return this.#do(one, 'verified', async () => this.spool.verified(one.id, 7n));
  }

  async #newEvent(index: number): Promise<Witness> {
    const priority = PRIORITIES[this.#random.integer(0, 2)] ?? 'normal';
    const id = `ev-${index}`;
    const versions = [await smallRecording(id, priority, 3)];
    const witness: Witness = { id, versions, acknowledged: -1, isGivenUp: false, begun: new Set(), done: new Set() };
    this.#witnesses.set(id, witness);
    return witness;
  }

  async #extend(one: Witness): Promise<void> {
    const last = one.versions.at(-1);
    if (last === undefined || one.begun.has('settled')) return;
    const seconds = 3 + 2 * one.versions.length;
    one.versions.push(await smallRecording(one.id, last.recording.priority, seconds));
    await this.#add(one);
    // Now and then what was closed early becomes part of an earlier event.
    const into = [...this.#witnesses.values()].find((each) => each.acknowledged >= 0 && each.id !== one.id);
    if (into === undefined || this.#random.chance(0.6)) return;
    await this.#do(one, 'withdrawn', async () => this.spool.withdraw(one.id, into.id));
  }

  async #add(one: Witness): Promise<void> {
    const version = one.versions.length - 1;
    const recording = one.versions[version]?.recording;
    if (recording === undefined) return;
    const isSettled = this.#random.chance(0.5);
    if (isSettled) one.begun.add('settled');
    await this.#patiently(async () => {
      const added = await this.spool.add(recording, { isSettled });
      if (added === 'spooled' || added === 'replaced') one.acknowledged = version;
      if (added === 'evicted' && one.acknowledged === -1) one.isGivenUp = true;
    });
  }

  async #do(one: Witness, deed: Deed, work: () => Promise<void>): Promise<void> {
    one.begun.add(deed);
    await this.#patiently(async () => {
      await work();
      one.done.add(deed);
    });
  }

  async #tell(): Promise<void> {
    for (const { eventId } of this.spool.tombstones().slice(0, 2)) {
      const one = this.#witnesses.get(eventId);
      if (one !== undefined) await this.#do(one, 'told', async () => this.spool.tombstoneDelivered(eventId));
    }
  }

  async #reopen(): Promise<void> {
    await this.spool.close();
    await this.#open(this.#disk as Disk);
    for (const one of this.#witnesses.values()) one.begun.add('settled');
    await this.spool.settleResumed();
  }

  async #patiently(work: () => Promise<void>): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await work();
        return;
      } catch (error) {
        if (!(error instanceof FleetError) || tries >= TRIES_MAX) return;
        this.#nowMs += 500;
      }
    }
  }

  #pick(): Witness | undefined {
    const all = [...this.#witnesses.values()];
    return all[this.#random.integer(0, Math.max(0, all.length - 1))];
  }

  get spool(): Spool {
    if (this.#spool === undefined) throw new Error('the spool is not open');
    return this.#spool;
  }

  #clock(): AgentClock {
    return { nowMs: () => this.#nowMs, monotonicMs: () => this.#nowMs, wait: async () => {}, random: () => 0.5 };
  }

  async #check(disk: CrashDisk): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const one of this.#witnesses.values())
      faults.push(...(await this.#checkEvent(one)).map((why) => `${one.id}: ${why}`));
    faults.push(...this.#checkFolder(disk), ...this.#checkCounts());
    if (faults.length === 0) faults.push(...(await this.#checkGoesOn(disk)));
    return faults;
  }

  /** A damaged recording is a loss that is told or shows at its chunk; a damaged index costs what only its lost lines knew. */
  async #checkDamaged(disk: CrashDisk, damaged: string): Promise<readonly string[]> {
    const faults = [...this.#checkFolder(disk), ...this.#checkCounts()];
    const isIndex = damaged.endsWith('index.journal');
    for (const one of this.#witnesses.values()) {
      const isHit = damaged.includes(`/${one.id}.`);
      const found = this.spool.explain(one.id);
      if (found.kind === 'queued' && !isHit && !(await this.#isWhole(found.entry)))
        faults.push(`${one.id} is not whole`);
      if (found.kind === 'unknown' && one.acknowledged >= 0 && !isIndex) faults.push(`${one.id} is unknown`);
      if (found.kind === 'ended' && found.outcome.outcome === 'quarantined' && !isHit && !isIndex)
        faults.push(`${one.id} was lost though it is not damaged`);
    }
    if (faults.length === 0) faults.push(...(await this.#checkGoesOn(disk)));
    return faults;
  }

  async #isWhole(entry: SpoolEntry): Promise<boolean> {
    const chunks = await Promise.all(entry.chunkDigests.map(async (_, index) => this.spool.readChunk(entry, index)));
    return entry.digest === `sha256:${createHash('sha256').update(Buffer.concat(chunks)).digest('hex')}`;
  }

  async #checkEvent(one: Witness): Promise<string[]> {
    const found = this.spool.explain(one.id);
    switch (found.kind) {
      case 'queued':
        return this.#checkQueued(one, found.entry);
      case 'ended':
        return this.#checkEnded(one, found.outcome.outcome);
      default:
        if (one.acknowledged >= 0) return ['was acknowledged and is unknown'];
        return one.isGivenUp ? ['was given up without a tombstone'] : [];
    }
  }

  async #checkQueued(one: Witness, entry: SpoolEntry): Promise<string[]> {
    const faults: string[] = [];
    const version = one.versions.findIndex((each) => each.digest === entry.digest);
    if (version < one.acknowledged) faults.push('a recording that was replaced is back');
    if (one.done.has('verified')) faults.push('was verified and is queued again');
    if (one.done.has('refused') || one.done.has('withdrawn')) faults.push('has ended and is queued again');
    if (one.isGivenUp) faults.push('was given up and is queued');
    if (one.done.has('settled') && !entry.isSettled) faults.push('was settled and is open again');
    if (entry.isSettled && !one.begun.has('settled')) faults.push('is settled and nobody said so');
    if (one.done.has('stored') && entry.storedAt !== 'relay-1') faults.push('has lost its second receipt');
    if (!(await this.#isWhole(entry))) faults.push('is not what its digest says');
    return faults;
  }

  #checkEnded(one: Witness, outcome: string): string[] {
    const isWaiting = this.spool.tombstones().some((each) => each.eventId === one.id);
    if (one.done.has('told') && isWaiting) return ['the cloud was told of its loss and is told again'];
    if (outcome === 'evicted') {
      return isWaiting || one.begun.has('told') ? [] : ['was evicted and the cloud is never told'];
    }
    if (outcome === 'quarantined') return ['was lost'];
    return one.begun.has(outcome as Deed) ? [] : [`has ended as ${outcome} and nobody said so`];
  }

  #checkFolder(disk: CrashDisk): string[] {
    const paths = disk.paths();
    const halves = paths.filter((path) => path.endsWith('.active')).map((path) => `${path} is half there`);
    const queue = paths.filter((path) => path.startsWith(`${ROOT}/queue/`)).length;
    const entries = this.spool.entries().length;
    return queue === entries ? halves : [...halves, `${queue} files and ${entries} entries are in the queue`];
  }

  #checkCounts(): string[] {
    const entries = this.spool.entries();
    const { spooled, spooledBytes, tombstonesWaiting } = this.spool.counts();
    const bytes = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
    const isRight =
      spooled === entries.length && spooledBytes === bytes && tombstonesWaiting === this.spool.tombstones().length;
    return isRight ? [] : ['the counts are not what is there'];
  }

  /** The next event goes in and is there after one more start. */
  async #checkGoesOn(disk: CrashDisk): Promise<string[]> {
    const next = await smallRecording('ev-next', 'safety', 3);
    this.#nowMs += 60_000;
    const added = await this.spool.add(next.recording, { isSettled: true });
    await this.spool.close();
    await this.#open(disk);
    const entry = this.spool.entry('ev-next');
    if (added === 'spooled' && entry?.digest === next.digest) return [];
    // On a disk that holds nothing but what matters as much, the next one is given up.
    const isFull = added === 'evicted' && this.spool.entries().every((each) => each.priority === 'safety');
    return isFull ? [] : [`capture does not go on: it is ${added}, the disk is ${this.spool.diskState().state}`];
  }
}
