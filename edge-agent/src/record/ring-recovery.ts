/** Turns the claims that a power cut left open into recordings of what had reached the disk. */
import type { DiskRing } from './disk-ring.ts';
import type { IntervalFacts, SessionStart } from './event-metadata.ts';
import { openEvents, type OpenSession } from './claim-lines.ts';
import type { EventWindow } from './event-windows.ts';
import { formerFacts } from './former-facts.ts';
import type { Gap } from './gaps.ts';
import { offsetOf, timeAt, timeBaseOf } from './message-record.ts';
import { ChannelTable } from './channel-table.ts';
import type { RecorderEffect } from './recorder-effects.ts';
import type { RecordingBuilder } from './recording-builder.ts';
import type { Selection } from './selection.ts';
import { latchedBefore, selectStored, type StoredGround } from './stored-selection.ts';
import { topicPlanOf } from './topic-plan.ts';

/** Recordings of what is open, settled: nothing can extend them any more. */
export async function recoverClaims(disk: DiskRing, builder: RecordingBuilder): Promise<readonly RecorderEffect[]> {
  const effects: RecorderEffect[] = [];
  for (const open of openEvents(disk.openClaims()))
    for (const window of open.windows) effects.push(...(await recoverWindow(disk, builder, open, window)));
  return effects;
}

async function recoverWindow(
  disk: DiskRing,
  builder: RecordingBuilder,
  open: OpenSession,
  window: EventWindow,
): Promise<readonly RecorderEffect[]> {
  const stored = disk.sessions().findLast((session) => session.start.session === open.session);
  const session: SessionStart = stored?.start ?? { session: open.session, attributes: {}, channels: [] };
  const ground: StoredGround = stored ?? {
    base: timeBaseOf(window.startNs),
    channels: new ChannelTable(),
    blocks: [],
    context: [],
  };
  const campaigns = open.campaigns.filter((campaign) => window.campaignIds.includes(campaign.id));
  const plan = topicPlanOf(campaigns);
  const span = { start: offsetOf(ground.base, window.startNs), end: offsetOf(ground.base, window.endNs) };
  const selection = await selectStored(ground, span, plan, disk.logger);
  const released = (): void => disk.recordedBefore(open.session, window);
  if (selection.messages === 0 && window.triggers.length === 0) {
    released();
    return [];
  }
  const last = ground.blocks.reduce((latest, block) => Math.max(latest, block.latest), Number.NEGATIVE_INFINITY);
  const isCut = !open.isEnded && last < span.end;
  const gaps = isCut ? silentToTheEnd(selection, ground, window) : [];
  const former = stored === undefined ? {} : await formerFacts(stored, span, disk.logger);
  const facts: IntervalFacts = {
    ...former,
    quality: (startNs, endNs) => ({ ...former.quality?.(startNs, endNs), gaps }),
  };
  const recording = builder.build(
    { base: ground.base, channels: ground.channels, session, facts },
    {
      window,
      plan,
      selection,
      campaigns,
      released,
      context: await latchedBefore(ground, span.start, plan, disk.logger),
      ...(isCut ? { cut: 'power-loss' } : {}),
    },
  );
  return [{ kind: 'close', recording, isSettled: true }];
}

/** Of topics that declare no rate; those that do are missed by it. */
function silentToTheEnd({ topics }: Selection, { base, channels }: StoredGround, window: EventWindow): readonly Gap[] {
  return [...topics]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([topic, times]) => {
      const last = times.ascending().at(-1);
      const hasRate = channels.idsOf(topic).some((id) => channels.at(id).rateHz !== undefined);
      return last === undefined || hasRate ? [] : [{ topic, fromNs: timeAt(base, last), toNs: window.endNs }];
    });
}
