/** Records a stored range again when somebody asks for it: from memory and disk, of this session and of former ones. */
import { FleetError, type PullRequest } from '@fleetloop/schemas';
import type { DiskRing } from './disk-ring.ts';
import type { IntervalFacts, SessionStart } from './event-metadata.ts';
import type { EventWindow } from './event-windows.ts';
import { formerFacts } from './former-facts.ts';
import { offsetOf, timeAt } from './message-record.ts';
import type { RecorderEffect } from './recorder-effects.ts';
import type { RecordingBuilder } from './recording-builder.ts';
import type { SessionRing } from './session-ring.ts';
import { latchedBefore, selectStored, type StoredGround } from './stored-selection.ts';
import type { StoredSession } from './stored-session.ts';

/** Longest recording of a pulled range; a longer one comes in parts. */
export const PULL_PART_NS = 600_000_000_000n;
/** Parts that one pull may have. */
export const PULL_PARTS_MAX = 64;

export type LiveSession = {
  readonly ring: SessionRing;
  readonly session: SessionStart;
  readonly stored: StoredSession | undefined;
};

export type RangeContext = {
  readonly live: readonly LiveSession[];
  readonly disk: DiskRing | undefined;
  readonly builder: RecordingBuilder;
  readonly facts: IntervalFacts;
};

/** `former` is set for a session that is over: what is known of it has to be read back. */
type Source = StoredGround & {
  readonly session: SessionStart;
  readonly facts: IntervalFacts;
  readonly former?: StoredSession;
};
type Range = { readonly startNs: bigint; readonly endNs: bigint };

/** @throws FleetError PULL_UNAVAILABLE naming what is held, PULL_INVALID */
export async function recordRange(pull: PullRequest, context: RangeContext): Promise<readonly RecorderEffect[]> {
  const wanted = { startNs: BigInt(pull.fromNs), endNs: BigInt(pull.toNs) };
  if (wanted.endNs < wanted.startNs)
    throw new FleetError('PULL_INVALID', `pull ${pull.id} ends before it begins: exchange fromNs and toNs`);
  const sources = sourcesOf(context);
  const parts = sources.flatMap((source) =>
    overlapping(source, wanted).flatMap((range) => partsOf(range).map((part) => ({ source, part }))),
  );
  if (parts.length === 0) throw unavailable(pull, sources);
  if (parts.length > PULL_PARTS_MAX)
    throw new FleetError(
      'PULL_INVALID',
      `pull ${pull.id} asks for ${parts.length} recordings, more than ${PULL_PARTS_MAX}`,
    );
  const effects: RecorderEffect[] = [];
  for (const { source, part } of parts) effects.push(await recordPart(pull, source, part, context));
  return effects;
}

async function recordPart(
  pull: PullRequest,
  source: Source,
  { startNs, endNs }: Range,
  { builder, disk }: RangeContext,
): Promise<RecorderEffect> {
  const plan = { ...(pull.topics === undefined ? {} : { topics: new Set(pull.topics) }), ratesHzMax: new Map() };
  const span = { start: offsetOf(source.base, startNs), end: offsetOf(source.base, endNs) };
  const window: EventWindow = { startNs, endNs, campaignIds: [], triggers: [], eventNsMax: PULL_PART_NS };
  // Blocks that are read now must not be freed until the recording holds them itself.
  for (const block of source.blocks) block.holders += 1;
  try {
    const selection = await selectStored(source, span, plan, disk?.logger);
    const context = await latchedBefore(source, span.start, plan, disk?.logger);
    const facts = source.former === undefined ? source.facts : await formerFacts(source.former, span, disk?.logger);
    const recording = builder.build({ ...source, facts }, { window, plan, selection, context, campaigns: [], pull });
    return { kind: 'close', recording, isSettled: true };
  } finally {
    for (const block of source.blocks) block.holders -= 1;
  }
}

/** Sessions on disk and the one in memory; of a live session the latest blocks are in memory alone. */
function sourcesOf({ live, disk, facts }: RangeContext): readonly Source[] {
  const current = new Set(live.map(({ stored }) => stored));
  const former = (disk?.sessions() ?? []).filter((stored) => !current.has(stored));
  return [
    ...former.map((stored) => ({
      session: stored.start,
      base: stored.base,
      channels: stored.channels,
      context: stored.context,
      facts: {},
      former: stored,
      blocks: stored.blocks.filter((block) => !block.isDropped),
    })),
    ...live.map(({ ring, session, stored }) => {
      const inMemory = new Set(ring.blocks);
      const onDisk = (stored?.blocks ?? []).filter((block) => !inMemory.has(block));
      const blocks = [...onDisk, ...ring.blocks].filter((block) => !block.isDropped && block.messages > 0);
      return { session, base: ring.base, channels: ring.channels, context: stored?.context ?? [], facts, blocks };
    }),
  ].filter((source) => source.blocks.length > 0);
}

function heldBy({ base, blocks }: Source): Range {
  const earliest = blocks.reduce((least, block) => Math.min(least, block.earliest), Number.POSITIVE_INFINITY);
  const latest = blocks.reduce((most, block) => Math.max(most, block.latest), Number.NEGATIVE_INFINITY);
  return { startNs: timeAt(base, earliest), endNs: timeAt(base, latest) };
}

function overlapping(source: Source, wanted: Range): readonly Range[] {
  const held = heldBy(source);
  const startNs = held.startNs > wanted.startNs ? held.startNs : wanted.startNs;
  const endNs = held.endNs < wanted.endNs ? held.endNs : wanted.endNs;
  return startNs <= endNs ? [{ startNs, endNs }] : [];
}

function partsOf({ startNs, endNs }: Range): readonly Range[] {
  const count = Number((endNs - startNs) / PULL_PART_NS) + 1;
  return Array.from({ length: Math.min(count, PULL_PARTS_MAX + 1) }, (_, index) => {
    const fromNs = startNs + BigInt(index) * PULL_PART_NS;
    const toNs = fromNs + PULL_PART_NS - 1n;
    return { startNs: fromNs, endNs: toNs < endNs ? toNs : endNs };
  });
}

function unavailable(pull: PullRequest, sources: readonly Source[]): FleetError {
  const held = sources.map((source) => {
    const { startNs, endNs } = heldBy(source);
    return `${source.session.session} from ${startNs} to ${endNs}`;
  });
  return new FleetError(
    'PULL_UNAVAILABLE',
    `the vehicle holds nothing from ${pull.fromNs} to ${pull.toNs} ns (pull ${pull.id}): it holds ${held.length === 0 ? 'nothing at all' : held.join(', ')}`,
  );
}
