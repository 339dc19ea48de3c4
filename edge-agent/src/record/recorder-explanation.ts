/** Answers why an event has not been recorded yet, and what the ring holds. */
import type { EventId } from '@fleetloop/schemas';
import type { DiskRing, DiskRingState } from './disk-ring.ts';
import type { EventWindow } from './event-windows.ts';
import { timeAt } from './message-record.ts';
import type { SessionRing } from './session-ring.ts';

export type PendingEvent = {
  readonly eventId: EventId;
  readonly campaignIds: readonly string[];
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly triggers: number;
  /** For the end of its post-window, or, recorded already, for the time from which no trigger can extend it. */
  readonly waitsFor: 'post-window' | 'settling';
  readonly waitsUntilNs: bigint;
};

export type RecorderExplanation = {
  readonly session?: string;
  readonly nowNs?: bigint;
  readonly pending: readonly PendingEvent[];
  readonly ring: {
    /** What a trigger or a pull can reach of this session; absent while nothing is held. */
    readonly fromNs?: bigint;
    readonly toNs?: bigint;
    readonly memoryBytes: number;
    readonly droppedMessages: number;
    /** Absent when there is no ring on disk. */
    readonly disk?: DiskRingState;
  };
  /** Stored ranges of all sessions on disk. */
  readonly held: readonly { readonly session: string; readonly fromNs: bigint; readonly toNs: bigint }[];
};

type Explained = {
  readonly session?: string;
  readonly ring?: SessionRing;
  readonly nowNs?: bigint;
  readonly pending: readonly { readonly window: EventWindow; readonly eventId: EventId; readonly isClosed: boolean }[];
  readonly preNsMax: bigint;
  readonly disk: DiskRing | undefined;
};

export function explainRecorder({ session, ring, nowNs, pending, preNsMax, disk }: Explained): RecorderExplanation {
  const first = ring?.blocks.find((block) => block.messages > 0 && !block.isDropped);
  const diskState = disk?.state();
  return {
    ...(session === undefined ? {} : { session }),
    ...(nowNs === undefined ? {} : { nowNs }),
    pending: pending.map(({ window, eventId, isClosed }): PendingEvent => {
      const { campaignIds, startNs, endNs, triggers } = window;
      return {
        eventId,
        campaignIds,
        startNs,
        endNs,
        triggers: triggers.length,
        waitsFor: isClosed ? 'settling' : 'post-window',
        waitsUntilNs: isClosed ? endNs + preNsMax + 1n : endNs + 1n,
      };
    }),
    ring: {
      ...(ring === undefined || first === undefined ? {} : { fromNs: timeAt(ring.base, first.earliest) }),
      ...(ring === undefined || nowNs === undefined ? {} : { toNs: nowNs }),
      memoryBytes: ring?.memoryBytes ?? 0,
      droppedMessages: ring?.droppedMessages ?? 0,
      ...(diskState === undefined ? {} : { disk: diskState }),
    },
    held: (disk?.sessions() ?? []).flatMap(({ start, base, blocks }) => {
      if (blocks.length === 0) return [];
      const fromNs = timeAt(
        base,
        blocks.reduce((least, block) => Math.min(least, block.earliest), Infinity),
      );
      const toNs = timeAt(
        base,
        blocks.reduce((most, block) => Math.max(most, block.latest), -Infinity),
      );
      return [{ session: start.session, fromNs, toNs }];
    }),
  };
}
