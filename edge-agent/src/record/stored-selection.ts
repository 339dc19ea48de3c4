/** Chooses messages among blocks that may be on disk only. What cannot be read back is left out, and said. */
import { FleetError } from '@fleetloop/schemas';
import type { AgentLogger } from '../ports.ts';
import type { Span } from './gaps.ts';
import { type ContextRecord, isLatched, LatchedContext } from './latched-context.ts';
import type { RecordBlock } from './record-block.ts';
import type { RecordColumns } from './record-columns.ts';
import { type Ground, type Selection, Selector } from './selection.ts';
import type { TopicPlan } from './topic-plan.ts';

/** Blocks that are looked through for latched messages in front of a recording. */
const LATCHED_BLOCKS_MAX = 64;

export type StoredGround = Ground & {
  readonly blocks: readonly RecordBlock[];
  /** Latched messages known from elsewhere. */
  readonly context: readonly ContextRecord[];
};

/** Blocks must be held by the caller. */
export async function selectStored(
  ground: StoredGround,
  span: Span,
  plan: TopicPlan,
  logger: AgentLogger | undefined,
): Promise<Selection> {
  const selector = new Selector(ground, span, plan);
  for (const block of ground.blocks) {
    if (block.latest < span.start || block.earliest > span.end) continue;
    const columns = await readable(block, logger);
    if (columns !== undefined) selector.take(block, columns);
  }
  return selector.finish();
}

/** Latched messages in force at `start`. */
export async function latchedBefore(
  ground: StoredGround,
  start: number,
  plan: TopicPlan,
  logger: AgentLogger | undefined,
): Promise<readonly ContextRecord[]> {
  const latched = new LatchedContext(ground.base);
  for (const record of ground.context) latched.add(record);
  const ids = new Set(ground.channels.all().flatMap((channel, id) => (isLatched(channel) ? [id] : [])));
  if (ids.size === 0) return [];
  const before = ground.blocks.filter((block) => block.earliest < start).slice(-LATCHED_BLOCKS_MAX);
  for (const block of before) {
    const columns = await readable(block, logger);
    if (columns !== undefined) await addLatched(latched, { block, columns, ids, ground });
  }
  return latched.before(start, plan);
}

type LatchedBlock = {
  readonly block: RecordBlock;
  readonly columns: RecordColumns;
  readonly ids: ReadonlySet<number>;
  readonly ground: Ground;
};

async function addLatched(latched: LatchedContext, { block, columns, ids, ground }: LatchedBlock): Promise<void> {
  let bytes: Uint8Array | undefined;
  for (let index = 0; index < columns.count; index += 1) {
    const channelId = columns.channelIds[index] as number;
    if (!ids.has(channelId)) continue;
    bytes ??= await block.load();
    const end = index + 1 < columns.count ? columns.starts[index + 1] : block.endBytes;
    const { topic } = ground.channels.at(channelId);
    const time = columns.times[index] as number;
    latched.add({ topic, channelId, time, bytes: bytes.slice(columns.starts[index], end) });
  }
}

async function readable(block: RecordBlock, logger: AgentLogger | undefined): Promise<RecordColumns | undefined> {
  try {
    return await block.index();
  } catch (error) {
    const { code, message } = FleetError.from(error);
    logger?.error({ code, message, messages: block.messages }, 'record.block.lost');
    return undefined;
  }
}
