/** Who saw what the agent has acknowledged on its disk over its lives, and holds the ledger, the catalogue and the folders against it. */
import type { AgentStatus, SpoolEntry } from '@fleetloop/edge-agent';
import type { FactBody, LedgerEntry } from '@fleetloop/schemas';

export type Accepted = FactBody<'recording.accepted'>;
type Evicted = FactBody<'recording.evicted'>;

/** What the cloud has in the end, and what lies where nothing should be left. */
export type RoadEnd = {
  readonly ledger: readonly LedgerEntry[];
  /** Event and recording of each line of the catalogue. */
  readonly catalogue: readonly { readonly event: string | null; readonly recording: string }[];
  readonly quarantined: readonly string[];
  /** Digests of the chunks that ingest still holds. */
  readonly staged: readonly string[];
  readonly leftovers: readonly string[];
};

/** An open event, as the agent shows it: its claim is on disk. */
type Claimed = { readonly eventId: string; readonly startNs: bigint; readonly endNs: bigint };
/** The one reason that this road gives for a loss. */
const FULL = 'SPOOL_FULL';
/** Behind an event that was lost, came back longer and was lost again (`lossName`). */
const TOLD_AGAIN = /-[0-9]{1,9}$/;
/** A line of the spool's index: eight digits of its CRC, a space, JSON. */
const INDEX_LINE = /^[0-9a-f]{8} (\{.*\})$/;

type IndexLine =
  | ({ readonly kind: 'entry'; readonly messages?: number } & Pick<
      SpoolEntry,
      'eventId' | 'digest' | 'chunkDigests'
    > & { readonly endNs: string })
  | { readonly kind: 'outcome'; readonly id: string; readonly outcome: string; readonly into?: string }
  | { readonly kind: 'spool' | 'settled' | 'stored' | 'told' | 'merged' };

export class RoadWitness {
  /** Most messages of each event that was acknowledged. */
  readonly #acknowledged = new Map<string, number>();
  /** The recording of each chunk that the agent could send. */
  readonly #recordingOf = new Map<string, string>();
  /** Latest end of each event that was on disk. */
  readonly #endNs = new Map<string, bigint>();
  readonly #withdrawn = new Map<string, string>();
  readonly #claimed = new Map<string, Claimed>();
  /** Time of the last message that the agent is known to have taken. */
  #capturedToNs = 0n;
  #desiredVersion = 0;
  #openBefore: readonly string[] = [];
  readonly #crossed = new Set<string>();

  get acknowledged(): number {
    return this.#acknowledged.size;
  }
  /** Events that were open before and after the agent took what was pushed. */
  get crossedByPush(): number {
    return this.#crossed.size;
  }

  /** The index as it lies on disk; no line leaves it in so short a time. */
  readIndex(text: string): void {
    for (const line of text.split('\n')) {
      const [, json] = INDEX_LINE.exec(line) ?? [];
      if (json === undefined) continue;
      const record = JSON.parse(json) as IndexLine;
      if (record.kind === 'entry') {
        this.#acknowledge(record.eventId, record.messages ?? 0);
        const endNs = BigInt(record.endNs);
        if (endNs > (this.#endNs.get(record.eventId) ?? 0n)) this.#endNs.set(record.eventId, endNs);
        for (const chunk of record.chunkDigests) this.#recordingOf.set(chunk, record.digest);
      }
      if (record.kind === 'outcome' && record.outcome === 'withdrawn')
        this.#withdrawn.set(record.id, record.into ?? '');
    }
  }

  /** What the agent has said. */
  readDiagnostics(lines: readonly { readonly msg: string; readonly [field: string]: unknown }[]): void {
    for (const { msg, eventId, messages } of lines)
      if (msg === 'record.event.spooled' || msg === 'record.event.replaced')
        this.#acknowledge(String(eventId), Number(messages));
  }

  /** What the agent says of itself now. */
  look({ desiredVersion, record }: AgentStatus): void {
    const open = record.pending.map(({ eventId }) => String(eventId));
    if (desiredVersion !== this.#desiredVersion)
      for (const eventId of open) if (this.#openBefore.includes(eventId)) this.#crossed.add(eventId);
    this.#desiredVersion = desiredVersion;
    this.#openBefore = open;
    // Over the socket the times are texts.
    this.#capturedToNs = BigInt(record.nowNs ?? this.#capturedToNs);
    const { disk } = record.ring;
    if (disk?.state !== 'disk' || disk.waitingBlocks + disk.waitingClaims > 0) return;
    for (const { eventId, startNs, endNs } of record.pending)
      this.#claimed.set(eventId, { eventId, startNs: BigInt(startNs), endNs: BigInt(endNs) });
  }

  /** The agent was killed: of what was open there can be no more than was captured by then. */
  killed(): void {
    this.#openBefore = [];
    for (const claim of this.#claimed.values())
      if (claim.endNs > this.#capturedToNs) this.#claimed.set(claim.eventId, { ...claim, endNs: this.#capturedToNs });
  }

  /** What must never be, one line each, the name of the rule first. */
  faults(end: RoadEnd): readonly string[] {
    const { ledger, catalogue, quarantined, staged, leftovers } = end;
    const accepted = factsOf(ledger, 'recording.accepted');
    const evicted = factsOf(ledger, 'recording.evicted');
    const events = accepted.map(eventOf);
    return [
      ...repeated(events).map((id) => `once: ${id} was accepted twice`),
      ...repeated(accepted.map(({ recording }) => recording)).map((digest) => `once: ${digest} was accepted twice`),
      ...repeated(accepted.flatMap(triggersOf)).map((key) => `once: the trigger ${key} is in two recordings`),
      ...repeated(catalogue.map(({ event }) => event ?? '')).map((id) => `once: ${id} is in the catalogue twice`),
      ...differences(
        catalogue.map(({ recording }) => recording),
        accepted.map(({ recording }) => recording),
      ).map((digest) => `catalogue: it differs from the ledger by ${digest}`),
      ...events.filter((id) => !this.#acknowledged.has(id)).map((id) => `spooled: ${id} never was on disk`),
      ...this.#lost(accepted, evicted),
      ...this.#cut(accepted, evicted),
      ...toldAfterwards(ledger),
      ...evicted
        .filter(({ code }) => code !== FULL)
        .map(({ eventId, code, reason }) => `tombstone: ${eventId} was lost by ${code}: ${reason}`),
      ...quarantined.map((what) => `quarantine: ${what}`),
      ...this.#strays(staged, evicted).map((chunk) => `left: chunk ${chunk} is staged for nobody`),
      ...leftovers.map((file) => `left: ${file}`),
    ];
  }

  #acknowledge(eventId: string, messages: number): void {
    this.#acknowledged.set(eventId, Math.max(messages, this.#acknowledged.get(eventId) ?? 0));
  }

  #lost(accepted: readonly Accepted[], evicted: readonly Evicted[]): string[] {
    const messages = new Map(accepted.map((fact) => [eventOf(fact), fact.messages]));
    const told = new Set(evicted.flatMap((fact) => [fact.eventId, ...this.#toldAgain(fact)]));
    return [...this.#acknowledged].flatMap(([eventId, wanted]) => {
      const count = messages.get(eventId);
      if (count === undefined) return this.#isEnded(eventId, { messages, told }) ? [] : [`spooled: ${eventId} is lost`];
      return count >= wanted || told.has(`${eventId}-rest`)
        ? []
        : [`spooled: ${eventId} has ${count} messages of ${wanted}`];
    });
  }

  /** The event of a later loss, where that loss is of all that was on disk of it. */
  #toldAgain({ eventId, endNs }: Evicted): readonly string[] {
    const event = eventId.replace(TOLD_AGAIN, '');
    return BigInt(endNs) >= (this.#endNs.get(event) ?? 0n) ? [event] : [];
  }

  /** No manifest comes for what was given up half sent: its chunks lie there until ingest finds them old. */
  #strays(staged: readonly string[], evicted: readonly Evicted[]): readonly string[] {
    const givenUp = new Set<string | null | undefined>(evicted.map(({ recording }) => recording));
    return staged.filter((chunk) => !givenUp.has(this.#recordingOf.get(chunk)));
  }

  #isEnded(
    eventId: string,
    cloud: { readonly messages: ReadonlyMap<string, number>; readonly told: ReadonlySet<string> },
  ): boolean {
    if (cloud.messages.has(eventId) || cloud.told.has(eventId)) return true;
    const into = this.#withdrawn.get(eventId);
    return into !== undefined && into !== eventId && this.#isEnded(into, cloud);
  }

  /** What a claim on disk asked for arrived or is told: a long chain of windows in several recordings, one after the other. */
  #cut(accepted: readonly Accepted[], evicted: readonly Evicted[]): string[] {
    const intervals = [...accepted.flatMap(({ metadata }) => metadata.event ?? []), ...evicted]
      .map(({ startNs, endNs }) => ({ startNs: BigInt(startNs), endNs: BigInt(endNs) }))
      .toSorted((left, right) => (left.startNs < right.startNs ? -1 : 1));
    return [...this.#claimed.values()].flatMap(({ eventId, startNs, endNs }) => {
      const untilNs = reach(intervals, startNs);
      return untilNs >= endNs ? [] : [`pending: ${eventId} of ${startNs} to ${endNs} is there until ${untilNs}`];
    });
  }
}

/** How far intervals, by their starts, go without a hole. */
function reach(intervals: readonly { readonly startNs: bigint; readonly endNs: bigint }[], fromNs: bigint): bigint {
  let untilNs = fromNs - 1n;
  for (const { startNs, endNs } of intervals) if (startNs <= untilNs + 1n && endNs > untilNs) untilNs = endNs;
  return untilNs;
}

/** In their order. */
export function factsOf<Kind extends LedgerEntry['kind']>(
  ledger: readonly LedgerEntry[],
  kind: Kind,
): readonly FactBody<Kind>[] {
  return ledger.flatMap((entry) => (entry.kind === kind ? [entry.body as FactBody<Kind>] : []));
}

const eventOf = ({ metadata }: Accepted): string => metadata.event?.id ?? '';

const triggersOf = ({ metadata }: Accepted): readonly string[] =>
  (metadata.event?.triggers ?? []).map(({ campaign, timeNs }) => `${campaign} at ${timeNs}`);

/** What was given up may still arrive; what has arrived is lost no more. */
function toldAfterwards(ledger: readonly LedgerEntry[]): string[] {
  const arrived = new Set<string | null>();
  return ledger.flatMap(({ kind, body }) => {
    if (kind === 'recording.accepted') arrived.add(body.recording);
    if (kind !== 'recording.evicted' || !arrived.has(body.recording)) return [];
    return [`one-end: ${body.eventId} was in the catalogue when its tombstone was filed`];
  });
}

function repeated(keys: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return [...new Set(keys.filter((key) => seen.size === seen.add(key).size))];
}

function differences(left: readonly string[], right: readonly string[]): readonly string[] {
  return [...new Set(left).symmetricDifference(new Set(right))];
}
