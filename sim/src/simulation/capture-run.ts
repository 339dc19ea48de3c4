/** Runs the agent's own capture core over a drive from a seed and holds what it kept against what it must have kept. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type AgentClock, DiskRing, EventRecorder, type MemoryDisk, memoryDisk } from '@fleetloop/edge-agent';
import type { SourceMessage } from '@fleetloop/schemas';
import { compileCampaign, makeTriggerEvaluator } from '@fleetloop/schemas/trigger';
import { type RandomDrive, randomDrive } from './random-drive.ts';
import { type SeededRandom, seededRandom } from './seeded-random.ts';
import { type KeptEvent, SimulatedSpool } from './simulated-spool.ts';

const NS_PER_MS = 1_000_000n;
/** Small, so that live sessions have to leave the most of their ring to the disk. */
const LIVE_RING_BYTES = 20_000;
const RING_BYTES = 64 * 1024 * 1024;
const BLOCK_BYTES = 1_000;
const SEGMENT_BYTES = 8_000;
const FLUSH_CHANCE = 0.02;
const KINDS = ['replayable', 'live', 'power-cut'] as const;

type RunKind = (typeof KINDS)[number];
type Firing = { readonly campaign: string; readonly timeNs: bigint };

export type RunOutcome = {
  readonly seed: number;
  /** A session of a file, a live one, or a live one that the power is taken from. */
  readonly kind: RunKind;
  readonly messages: number;
  readonly firings: number;
  readonly events: number;
  /** Recordings that were closed at the end of their post-window, before they were settled. */
  readonly early: number;
  /** Equal for equal seeds. */
  readonly fingerprint: string;
  /** What did not hold; empty when all is well. */
  readonly problems: readonly string[];
};

/** One run. The same seed gives the same outcome. */
export async function runCapture(seed: number): Promise<RunOutcome> {
  const random = seededRandom(seed);
  const drive = randomDrive(random);
  const kind = KINDS[random.integer(0, KINDS.length - 1)] ?? 'replayable';
  const { spool, firings, pushed } = await capture(drive, kind, random);
  const events = spool.settled;
  const isCut = kind === 'power-cut';
  const problems = [
    ...spool.problems,
    ...checkFirings(events, firings),
    ...checkMessages(events, pushed, isCut),
    ...checkOrder(events),
    ...(spool.open > 0 && !isCut ? [`${spool.open} recordings were never settled`] : []),
  ];
  return {
    seed,
    kind,
    messages: pushed.length,
    firings: firings.length,
    events: events.length,
    early: spool.early,
    fingerprint: fingerprint(events),
    problems,
  };
}

type Captured = {
  readonly spool: SimulatedSpool;
  readonly firings: readonly Firing[];
  readonly pushed: readonly SourceMessage[];
};

async function capture(drive: RandomDrive, kind: RunKind, random: SeededRandom): Promise<Captured> {
  const evaluator = makeTriggerEvaluator();
  const disk = memoryDisk();
  const { recorder, ring } = await openRecorder(disk, kind);
  const spool = new SimulatedSpool();
  const firings: Firing[] = [];
  const pushed: SourceMessage[] = [];
  const isReplayable = kind === 'replayable';
  const steps = kind === 'power-cut' ? drive.steps.slice(0, random.integer(1, drive.steps.length)) : drive.steps;
  recorder.startSession({ session: 'simulated', attributes: {}, channels: drive.channels, isReplayable });
  for (const step of steps) {
    if (step.kind === 'campaigns') {
      evaluator.setCampaigns(step.campaigns.map((campaign) => compileCampaign(campaign, {})));
      recorder.setCampaigns(step.campaigns);
      continue;
    }
    pushed.push(step.message);
    await spool.take(recorder.push(step.message));
    for (const { campaign, timeNs } of evaluator.push(step.message)) {
      recorder.trigger(campaign.campaign, timeNs);
      firings.push({ campaign: campaign.campaign.id, timeNs });
    }
    if (!isReplayable && random.chance(FLUSH_CHANCE)) await ring.flush();
  }
  if (kind === 'power-cut') {
    await ring.flush();
    const after = await openRecorder(disk.copy(), kind);
    await spool.take(await after.recorder.recover());
  } else {
    const lastNs = pushed.at(-1)?.logTimeNs ?? 0n;
    if (random.chance(0.5)) await spool.take(recorder.tick(lastNs + BigInt(random.integer(1, 5_000)) * NS_PER_MS));
    await spool.take(recorder.endSession());
  }
  return { spool, firings, pushed };
}

async function openRecorder(disk: MemoryDisk, kind: RunKind): Promise<{ recorder: EventRecorder; ring: DiskRing }> {
  const limits = { segmentBytes: SEGMENT_BYTES };
  const ring = await DiskRing.open({ disk, root: '/ring', clock: STANDING_CLOCK, logger: SILENT, limits });
  const recorder = new EventRecorder({
    vehicle: { id: 'simulated', hardwareRevision: 'A' },
    software: { name: 'simulation', version: '0' },
    ...(kind === 'replayable'
      ? { ringBytesMax: RING_BYTES }
      : { ringBytesMax: LIVE_RING_BYTES, blockBytes: BLOCK_BYTES }),
    disk: ring,
  });
  return { recorder, ring };
}

const STANDING_CLOCK: AgentClock = { nowMs: () => 0, monotonicMs: () => 0, wait: async () => {}, random: () => 0 };
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Each firing is a trigger of exactly one event; each event has at least one. */
function checkFirings(events: readonly KeptEvent[], firings: readonly Firing[]): string[] {
  const problems: string[] = [];
  for (const firing of firings) {
    const holders = events.filter(({ recording }) =>
      recording.triggers.some((trigger) => trigger.campaignId === firing.campaign && trigger.timeNs === firing.timeNs),
    );
    if (holders.length !== 1)
      problems.push(`trigger ${firing.campaign} at ${firing.timeNs} is in ${holders.length} events`);
  }
  for (const { recording } of events)
    if (recording.triggers.length === 0) problems.push(`event ${recording.id} has no trigger`);
  return problems;
}

/** An event holds every message of its interval, once, in order; after a power cut those up to the last that was on disk. */
function checkMessages(events: readonly KeptEvent[], pushed: readonly SourceMessage[], isCut: boolean): string[] {
  return events.flatMap(({ recording, messages }) => {
    const { startNs, endNs, metadata } = recording;
    const inside = pushed.filter((message) => message.logTimeNs >= startNs && message.logTimeNs <= endNs);
    const isShort = isCut && metadata.event?.cut === 'power-loss';
    const expected = isShort ? inside.slice(0, messages.length) : inside;
    const triggerNs = recording.triggers.at(-1)?.timeNs ?? startNs;
    const isToTrigger = inside.slice(expected.length).every((message) => message.logTimeNs >= triggerNs);
    const isSame = isDeepStrictEqual(messages.map(plain), expected.map(plain)) && isToTrigger;
    return isSame ? [] : [`event ${recording.id} holds ${messages.length} of ${inside.length} messages`];
  });
}

/** What was pushed and what is read back agree in all but the channel object. */
function plain(message: SourceMessage): readonly unknown[] {
  const { channel, sequence, logTimeNs, publishTimeNs } = message;
  return [channel.topic, sequence, logTimeNs, publishTimeNs, message.kind === 'signal' ? message.values : message.data];
}

/** Events do not overlap: what overlaps is one event. */
function checkOrder(events: readonly KeptEvent[]): string[] {
  const inTime = events.toSorted((a, b) => (a.recording.startNs < b.recording.startNs ? -1 : 1));
  return inTime.slice(1).flatMap(({ recording }, index) => {
    const before = inTime[index]?.recording;
    return before === undefined || recording.startNs > before.endNs
      ? []
      : [`events ${before.id} and ${recording.id} overlap`];
  });
}

function fingerprint(events: readonly KeptEvent[]): string {
  const hash = createHash('sha256');
  for (const { recording, bytes } of events) hash.update(`${recording.id} `).update(bytes);
  return hash.digest('hex').slice(0, 16);
}
