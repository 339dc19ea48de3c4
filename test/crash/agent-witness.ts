/** Who saw all that the agent was given and all that it acknowledged, and holds what reached the cloud against it. */
import type { SourceMessage } from '@fleetloop/schemas';
import { fromMetadataRecords, type McapMetadataRecord, readRecording } from '@fleetloop/schemas/recording';
import { type CampaignName, CAMPAIGNS, CLOCK_SOURCE, MOTION, nsAt } from './agent-drive.ts';
import type { LogLine } from './agent-life.ts';
import type { HostileCloud } from './hostile-cloud.ts';

type Trigger = {
  readonly campaign: CampaignName;
  readonly timeMs: number;
  readonly session: string;
  /** The ring has said that claim and messages up to it are on disk. */
  isAcknowledged: boolean;
  /** The power went before it was acknowledged: it may be lost. */
  isOver: boolean;
};
type Given = {
  readonly key: string;
  readonly session: string;
  readonly timeMs: number;
  isFlushed: boolean;
  isOver: boolean;
};

/** What a recording in the catalogue says. */
type Arrived = {
  readonly eventId: string;
  readonly session: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly triggers: readonly string[];
  readonly keys: readonly string[];
  readonly pull: string | undefined;
  /** Messages that had to be redacted, and those of which the recording says so. */
  readonly redactable: number;
  readonly redacted: number;
  readonly clockSource: string;
};
type Interval = { readonly session: string; readonly startNs: bigint; readonly endNs: bigint };

const keyOf = (session: string, { channel, sequence }: SourceMessage): string =>
  `${session} ${channel.topic} ${sequence}`;
const triggerKey = (campaign: string, timeNs: bigint | string): string => `${campaign} at ${timeNs}`;

export class AgentWitness {
  readonly #triggers: Trigger[] = [];
  readonly #given: Given[] = [];
  /** Time of the last message of sessions that were ended in order. */
  readonly #ended = new Map<string, number>();
  /** Most messages of an event that the spool has acknowledged. */
  readonly #spooled = new Map<string, number>();
  #kept = 0;
  /** Recordings that nobody could write; each must have left a tombstone. */
  readonly lost: string[] = [];

  given(session: string, timeMs: number, message: SourceMessage): void {
    this.#given.push({ key: keyOf(session, message), session, timeMs, isFlushed: false, isOver: false });
  }

  fired(session: string, timeMs: number, campaign: CampaignName): void {
    this.#triggers.push({ campaign, timeMs, session, isAcknowledged: false, isOver: false });
  }

  /** All claims so far are on disk, and with each of them what was captured before it. */
  flushed(): void {
    const last = this.#triggers.at(-1);
    if (last === undefined) return;
    for (const trigger of this.#triggers) if (!trigger.isOver) trigger.isAcknowledged = true;
    for (const each of this.#given) if (!each.isOver && each.timeMs <= last.timeMs) each.isFlushed = true;
  }

  /** The agent starts again: what is not acknowledged by now never will be. */
  restarted(): void {
    for (const each of [...this.#triggers, ...this.#given]) each.isOver = true;
  }

  ended(session: string, lastMs: number): void {
    this.#ended.set(session, lastMs);
  }

  log({ event, fields }: LogLine): void {
    const { eventId, messages, triggers } = fields;
    if (event === 'record.event.lost') this.lost.push(String(eventId));
    if (event !== 'record.event.spooled' && event !== 'record.event.replaced') return;
    if (event === 'record.event.spooled' && Number(triggers) > 0) this.#kept += 1;
    this.#spooled.set(String(eventId), Math.max(Number(messages), this.#spooled.get(String(eventId)) ?? 0));
  }

  /** Recordings of campaigns that came on disk. */
  get kept(): number {
    return this.#kept;
  }
  get triggers(): number {
    return this.#triggers.length;
  }

  /** All rules, on a cloud that has been told everything. `isWithdrawn` asks the spool. */
  async faults(cloud: HostileCloud, isWithdrawn: (eventId: string) => boolean): Promise<string[]> {
    const arrived = await arrivedAt(cloud);
    const buried = [...cloud.tombstones.values()];
    return [
      ...cloud.faults,
      ...this.#lostTriggers(arrived, buried),
      ...this.#lostMessages(arrived, buried),
      ...this.#cutWindows(arrived, buried),
      ...this.#lostRecordings(arrived, cloud, isWithdrawn),
      ...doubles(arrived),
      ...dead(arrived, cloud),
      ...silent(arrived),
    ];
  }

  /**
   * What must hold whatever was damaged: nothing twice, and no event is lost that does not depend on what was damaged. The vehicle
   * cannot know of what was `verifiedBefore` when no receipt came.
   */
  async faultsOfDamage(
    cloud: HostileCloud,
    damage: { readonly isOfCapture: boolean; readonly verifiedBefore: ReadonlySet<string> },
  ): Promise<string[]> {
    const arrived = await arrivedAt(cloud);
    const lost = damage.isOfCapture ? [] : this.#lostTriggers(arrived, [...cloud.tombstones.values()]);
    const later = arrived.filter(({ eventId }) => !damage.verifiedBefore.has(eventId));
    return [...cloud.faults, ...lost, ...doubles(arrived), ...dead(later, cloud), ...silent(arrived)];
  }

  #lostTriggers(arrived: readonly Arrived[], buried: readonly Interval[]): string[] {
    const there = new Set(arrived.flatMap(({ session, triggers }) => triggers.map((key) => `${session} ${key}`)));
    return this.#triggers
      .filter(({ isAcknowledged }) => isAcknowledged)
      .filter(({ session, campaign, timeMs }) => !there.has(`${session} ${triggerKey(campaign, nsAt(timeMs))}`))
      .filter(({ session, timeMs }) => !isWithin(buried, session, timeMs))
      .map(({ session, campaign, timeMs }) => `acknowledged: ${campaign} at ${timeMs} ms of ${session} is lost`);
  }

  /** Up to its trigger a window was on disk when the trigger was acknowledged. */
  #lostMessages(arrived: readonly Arrived[], buried: readonly Interval[]): string[] {
    const there = new Set(arrived.filter(({ pull }) => pull === undefined).flatMap(({ keys }) => keys));
    const wanted = this.#triggers.filter(({ isAcknowledged }) => isAcknowledged);
    return this.#given
      .filter(({ isFlushed, key }) => isFlushed && !there.has(key))
      .filter(({ session, timeMs }) => !isWithin(buried, session, timeMs))
      .filter((each) =>
        wanted.some(
          ({ campaign, session, timeMs }) =>
            session === each.session &&
            timeMs - CAMPAIGNS[campaign].preWindowMs <= each.timeMs &&
            each.timeMs <= timeMs,
        ),
      )
      .map(({ key }) => `window-whole: ${key} was on disk and is in no recording`);
  }

  /** The post-window was claimed too: a recording says that it wanted it, though a power cut may have left nothing to put in. */
  #cutWindows(arrived: readonly Arrived[], buried: readonly Interval[]): string[] {
    const all = [...arrived, ...buried];
    return this.#triggers
      .filter(({ isAcknowledged }) => isAcknowledged)
      .filter(({ session, campaign, timeMs }) => {
        const wantedMs = timeMs + CAMPAIGNS[campaign].postWindowMs;
        const endMs = this.#lastGiven(session, Math.min(wantedMs, this.#ended.get(session) ?? wantedMs));
        return isWithin(all, session, timeMs) && !isWithin(all, session, endMs);
      })
      .map(({ session, campaign, timeMs }) => `post-window: that of ${campaign} at ${timeMs} ms of ${session} is cut`);
  }

  /** A part of a chain in which nothing was captured leaves no recording. */
  #lastGiven(session: string, untilMs: number): number {
    const times = this.#given.filter((each) => each.session === session && each.timeMs <= untilMs);
    return times.at(-1)?.timeMs ?? untilMs;
  }

  #lostRecordings(
    arrived: readonly Arrived[],
    cloud: HostileCloud,
    isWithdrawn: (eventId: string) => boolean,
  ): string[] {
    const messages = new Map(arrived.map(({ eventId, keys }) => [eventId, keys.length]));
    return [...this.#spooled].flatMap(([eventId, acknowledged]) => {
      const count = messages.get(eventId);
      if (count !== undefined)
        return count >= acknowledged ? [] : [`spooled: ${eventId} has ${count} messages of ${acknowledged}`];
      if (cloud.tombstones.has(eventId) || isWithdrawn(eventId)) return [];
      return [`spooled: ${eventId} was acknowledged and is lost`];
    });
  }
}

function doubles(arrived: readonly Arrived[]): string[] {
  const events = arrived.filter(({ pull }) => pull === undefined);
  return [
    ...repeated(events.flatMap(({ keys }) => keys)).map((key) => `once: ${key} is in two events`),
    ...repeated(events.flatMap(({ session, triggers }) => triggers.map((key) => `${session} ${key}`))).map(
      (key) => `once: ${key} is in two events`,
    ),
    ...repeated(
      arrived.flatMap(({ pull, keys }) => (pull === undefined ? [] : keys.map((key) => `${pull}: ${key}`))),
    ).map((key) => `once: ${key} was pulled twice`),
  ];
}

/** What was given up may come again only as what it has become since: longer. */
function dead(arrived: readonly Arrived[], { tombstones }: HostileCloud): string[] {
  return arrived.flatMap(({ eventId, startNs, endNs }) => {
    const tombstone = tombstones.get(eventId);
    if (tombstone === undefined || startNs < tombstone.startNs || endNs > tombstone.endNs) return [];
    return [`one-end: ${eventId} is in the catalogue and has a tombstone`];
  });
}

/** A recording says what was done to its messages and which clock stamped them, whoever made it: the drive or the next boot. */
function silent(arrived: readonly Arrived[]): string[] {
  return arrived.flatMap(({ eventId, redactable, redacted, clockSource, keys }) => [
    ...(redacted < redactable ? [`redaction: ${eventId} says ${redacted} of ${redactable} redacted messages`] : []),
    ...(keys.length > 0 && clockSource !== CLOCK_SOURCE ? [`clock: ${eventId} does not know its clock`] : []),
  ]);
}

function repeated(keys: readonly string[]): string[] {
  const seen = new Set<string>();
  return [...new Set(keys.filter((key) => seen.size === seen.add(key).size))];
}

function isWithin(intervals: readonly Interval[], session: string, timeMs: number): boolean {
  const timeNs = nsAt(timeMs);
  return intervals.some((each) => each.session === session && each.startNs <= timeNs && timeNs <= each.endNs);
}

async function arrivedAt(cloud: HostileCloud): Promise<Arrived[]> {
  const all: Arrived[] = [];
  for (const [eventId, { bytes }] of cloud.verified) all.push(await read(eventId, bytes));
  return all;
}

async function read(eventId: string, bytes: Uint8Array): Promise<Arrived> {
  const records: McapMetadataRecord[] = [];
  const messages: SourceMessage[] = [];
  for await (const item of readRecording([bytes])) {
    if (item.kind === 'message') messages.push(item.message);
    else records.push(item.record);
  }
  const { event, session, pull, clock, redactions = [] } = fromMetadataRecords(records);
  return {
    eventId,
    session: session.name,
    startNs: BigInt(event?.startNs ?? 0),
    endNs: BigInt(event?.endNs ?? 0),
    triggers: (event?.triggers ?? []).map(({ campaign, timeNs }) => triggerKey(campaign, timeNs)),
    keys: messages.map((message) => keyOf(session.name, message)),
    pull,
    redactable: messages.filter(({ channel }) => channel.topic === MOTION.topic).length,
    redacted: redactions.reduce((sum, each) => sum + each.messages, 0),
    clockSource: clock.source,
  };
}
