/** Why something was not uploaded yet, as plain data: the first question of every fleet, answered by the vehicle itself. */
import { PRIORITIES, type Priority } from '@fleetloop/schemas';
import { goodputBytesPerS, type LinkModel, windowBytes } from './link-model.ts';
import type { NetworkClass } from './network-class.ts';
import type { SendHold } from './send-hold.ts';
import type { Upload } from './upload-book.ts';
import { chunksLeft, nextSend } from './upload-state.ts';

/** Uploads that an explanation names one by one. */
export const UPLOADS_EXPLAINED_MAX = 256;

export type UploadExplanation = {
  readonly eventId: string;
  readonly kind: 'recording' | 'tombstone';
  readonly priority: Priority;
  /** The class in which it is sent now. */
  readonly sentAs: Priority;
  readonly isBoosted: boolean;
  /** Ms until it should have arrived, negative when late; null without a deadline. */
  readonly deadlineInMs: number | null;
  readonly phase: 'waiting' | 'sending' | 'asking' | 'stored' | 'settling';
  readonly sizeBytes: number;
  readonly chunks: number;
  /** Chunks that are not known to have arrived. */
  readonly chunksLeft: number;
  readonly failures: number;
  readonly lastError: { readonly code: string; readonly message: string } | null;
  /** Ms until the next attempt; 0 is as soon as it is its turn, null while an answer is awaited. */
  readonly nextAttemptInMs: number | null;
};

export type UplinkExplanation = {
  readonly link: { readonly isConnected: boolean; readonly refusal: { code: string; message: string } | null };
  readonly network: {
    readonly class: NetworkClass;
    /** Bytes that each priority may still send today; null is no limit. */
    readonly leftTodayBytes: Readonly<Record<Priority, number | null>>;
  };
  readonly flow: {
    readonly inFlightBytes: number;
    readonly windowBytes: number;
    readonly goodputBytesPerS: number;
    readonly roundTripMs: number | null;
  };
  readonly holds: readonly {
    readonly priority: Priority;
    readonly reason: string;
    readonly code: string;
    readonly forMs: number;
  }[];
  /** Bytes of recordings that wait, by their own priority. */
  readonly queuedBytes: Readonly<Record<Priority, number>>;
  readonly queued: Readonly<Record<Priority, number>>;
  readonly tombstones: number;
  readonly unknownReceipts: number;
  /** The first of them in the order of capture. */
  readonly uploads: readonly UploadExplanation[];
};

export type ExplanationParts = {
  readonly nowMs: number;
  readonly link: { readonly isConnected: boolean; readonly refusal?: { code: string; message: string } | undefined };
  readonly networkClass: NetworkClass;
  readonly leftToday: (priority: Priority) => number;
  readonly model: LinkModel;
  readonly holds: ReadonlyMap<Priority, SendHold>;
  readonly uploads: Iterable<Upload>;
  readonly unknownReceipts: number;
};

export function explainUplink(parts: ExplanationParts): UplinkExplanation {
  const { nowMs, model, link } = parts;
  const queuedBytes = { safety: 0, normal: 0, bulk: 0 };
  const queued = { safety: 0, normal: 0, bulk: 0 };
  const uploads: UploadExplanation[] = [];
  let tombstones = 0;
  for (const upload of parts.uploads) {
    const { item } = upload;
    if (item.kind === 'tombstone') tombstones += 1;
    else {
      queued[item.entry.priority] += 1;
      queuedBytes[item.entry.priority] += item.entry.sizeBytes;
    }
    if (uploads.length < UPLOADS_EXPLAINED_MAX) uploads.push(explainUpload(upload, nowMs));
  }
  const left = (priority: Priority): number | null => finiteOrNull(parts.leftToday(priority));
  const { refusal } = link;
  return {
    link: {
      isConnected: link.isConnected,
      refusal: refusal === undefined ? null : { code: refusal.code, message: refusal.message },
    },
    network: {
      class: parts.networkClass,
      leftTodayBytes: { safety: left('safety'), normal: left('normal'), bulk: left('bulk') },
    },
    flow: {
      inFlightBytes: model.inFlightBytes,
      windowBytes: Math.round(windowBytes(model, nowMs)),
      goodputBytesPerS: goodputBytesPerS(model),
      roundTripMs: model.roundTripMs ?? null,
    },
    holds: PRIORITIES.flatMap((priority) => {
      const hold = parts.holds.get(priority);
      if (hold === undefined) return [];
      return [{ priority, reason: hold.reason, code: hold.code, forMs: Math.max(0, hold.untilMs - nowMs) }];
    }),
    queuedBytes,
    queued,
    tombstones,
    unknownReceipts: parts.unknownReceipts,
    uploads,
  };
}

/** One upload by itself. */
export function explainUpload(upload: Upload, nowMs: number): UploadExplanation {
  const { item, state, urgency, deadline } = upload;
  const chunks = item.kind === 'recording' ? item.entry.chunkDigests.length : 0;
  return {
    eventId: item.entry.eventId,
    kind: item.kind,
    priority: item.entry.priority,
    sentAs: urgency.priority,
    isBoosted: urgency.isBoosted,
    deadlineInMs: deadline === undefined ? null : Math.round(deadline.dueMs - nowMs),
    phase: phaseOf(upload),
    sizeBytes: item.entry.sizeBytes,
    chunks,
    chunksLeft: state === undefined ? chunks : chunksLeft(state),
    failures: state?.failures ?? 0,
    lastError: state?.lastError ?? null,
    nextAttemptInMs: nextAttemptInMs(upload, nowMs),
  };
}

function phaseOf({ state, isSettling }: Upload): UploadExplanation['phase'] {
  if (isSettling) return 'settling';
  if (state === undefined) return 'waiting';
  if (state.isStored) return 'stored';
  return chunksLeft(state) > 0 ? 'sending' : 'asking';
}

function nextAttemptInMs({ state, isSettling }: Upload, nowMs: number): number | null {
  if (isSettling) return null;
  if (state === undefined) return 0;
  const next = nextSend(state, nowMs);
  if (next.kind === 'wait') return Math.max(0, Math.round(next.untilMs - nowMs));
  return next.kind === 'idle' ? null : 0;
}

const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
