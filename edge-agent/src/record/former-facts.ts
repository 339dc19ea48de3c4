/**
 * What can be said of an interval of a session that is over: clocks and redaction as noted, and the quality of its channels as the
 * messages on disk show it. A stretch ahead of the interval is looked at too: what a channel is like is seen over some seconds.
 */
import type { ChannelQuality } from '@fleetloop/schemas';
import { ChannelMonitor } from '../capture/channel-monitor.ts';
import type { AgentLogger } from '../ports.ts';
import type { IntervalFacts } from './event-metadata.ts';
import type { Span } from './gaps.ts';
import { messagesIn } from './messages-in.ts';
import { timeAt } from './message-record.ts';
import type { StoredSession } from './stored-session.ts';

/** Messages are looked at from this long before the interval, ns. */
const LEAD_NS = 15e9;
/** Messages that are looked at; of what comes behind them nothing is said. A vehicle must not wait long for its first capture. */
export const READ_BACK_MESSAGES_MAX = 200_000;

/** The caller holds the blocks. */
export async function formerFacts(
  stored: StoredSession,
  span: Span,
  logger: AgentLogger | undefined,
): Promise<IntervalFacts> {
  const { notes, base, blocks } = stored;
  const noted = notes.factsOf(
    blocks.filter((block) => block.latest >= span.start),
    base,
  );
  const { monitor, seenUntil } = await lookThrough(stored, span, logger);
  return {
    ...noted,
    quality: (startNs, endNs) => {
      const seenNs = Number.isFinite(seenUntil) ? timeAt(base, seenUntil) : startNs;
      const untilNs = endNs < seenNs ? endNs : seenNs;
      if (untilNs < startNs) return {};
      const redacted = new Set((noted.redactions?.(startNs, untilNs) ?? []).map(({ topic }) => topic));
      return {
        quality: monitor.quality(startNs, untilNs).flatMap((quality) => asItCame(quality, redacted)),
        alignment: monitor.alignment(startNs, untilNs),
      };
    },
  };
}

async function lookThrough(
  { blocks, base, channels }: StoredSession,
  { start, end }: Span,
  logger: AgentLogger | undefined,
): Promise<{ readonly monitor: ChannelMonitor; readonly seenUntil: number }> {
  const monitor = new ChannelMonitor();
  monitor.startSession([]);
  let seenUntil = Number.NEGATIVE_INFINITY;
  let messages = 0;
  for (const block of blocks) {
    if (block.isDropped || block.latest < start - LEAD_NS || block.earliest > end) continue;
    messages += block.messages;
    if (messages > READ_BACK_MESSAGES_MAX) break;
    for (const message of await messagesIn(block, { base, channels }, logger)) monitor.push(message);
    seenUntil = Math.max(seenUntil, block.latest);
  }
  return { monitor, seenUntil };
}

/** Redaction makes equal what was not: whether the values stood still is not known any more. */
function asItCame(quality: ChannelQuality, redacted: ReadonlySet<string>): readonly ChannelQuality[] {
  if (!redacted.has(quality.topic)) return [quality];
  const { frozen: _, ...rest } = quality;
  return Object.keys(rest).length > 1 ? [rest] : [];
}
