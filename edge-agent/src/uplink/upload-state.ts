/**
 * One upload as a pure state machine: chunks, then the manifest, then a receipt that names what is missing or ends it. Every
 * step may be lost, repeated or late; a chunk is its digest, so doing it again does no harm. A tombstone is an upload without
 * chunks.
 */
import { assertNever } from '@fleetloop/schemas';
import { backoffMs, type FailureClass } from './backoff.ts';

/** How long a receipt may take before the manifest is published again, ms; doubles with each silence. */
export const RECEIPT_TIMEOUT_MS = 3_000;
const RECEIPT_TIMEOUT_MS_MAX = 600_000;
const RECEIPT_DOUBLINGS_MAX = 8;

export type UploadOutcome =
  | { readonly kind: 'verified'; readonly ledgerSequence: bigint }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

export type UploadState = {
  readonly chunkCount: number;
  /** Chunks to publish, ascending; those before `position` were handed over. */
  readonly list: readonly number[];
  readonly position: number;
  /** Chunks that were handed over and did not arrive, ascending; they go first. */
  readonly again: readonly number[];
  readonly inFlight: number;
  /**
   * Most chunks that an answer can name: those of the last one, less those that have arrived since. Undefined before the first
   * question, whose answer cannot be an old one.
   */
  readonly missingMax: number | undefined;
  readonly manifest: 'unsent' | 'in-flight' | 'awaiting-receipt';
  /** A relay has the recording as a whole. */
  readonly isStored: boolean;
  /** Nothing is sent before this, monotonic ms. */
  readonly notBeforeMs: number;
  /** The manifest is published again at this time, monotonic ms. */
  readonly receiptDueMs: number;
  /** Failures in a row. */
  readonly failures: number;
  readonly lastError: { readonly code: string; readonly message: string } | undefined;
  /** Receipts in a row that did not come or did not end it. */
  readonly silences: number;
  /** Chunks whose fate a cut left open. */
  readonly doubtful: number;
  /** With more chunks in doubt than this it is cheaper to ask than to send them again. */
  readonly doubtfulMax: number;
  readonly outcome: UploadOutcome | undefined;
};

export type UploadInput =
  | { readonly kind: 'chunk-sent' }
  | { readonly kind: 'chunk-stored' }
  | { readonly kind: 'manifest-sent' }
  | { readonly kind: 'manifest-stored' }
  | {
      readonly kind: 'send-failed';
      readonly what: 'manifest' | number;
      readonly failure: FailureClass;
      readonly code: string;
      readonly message: string;
    }
  | { readonly kind: 'receipt-missing'; readonly chunks: readonly number[] }
  | { readonly kind: 'receipt-stored'; readonly askAgainMs: number }
  | { readonly kind: 'receipt-verified'; readonly ledgerSequence: bigint }
  | { readonly kind: 'receipt-refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'link-restored' }
  /** The receiver answers again after a silence: what waits for it is asked for soon. */
  | { readonly kind: 'receiver-back' };

/** Time and chance of a step. */
export type Moment = { readonly nowMs: number; readonly jitter: number };

export type NextSend =
  | { readonly kind: 'chunk'; readonly index: number }
  | { readonly kind: 'manifest' }
  | { readonly kind: 'wait'; readonly untilMs: number }
  /** Something is in flight, or all is over. */
  | { readonly kind: 'idle' };

export type UploadStart = {
  readonly chunkCount: number;
  /** Found on disk at a start: parts of it may have arrived. */
  readonly isResumed: boolean;
  readonly doubtfulMax?: number;
  /** A relay has it: it is asked for at this time, monotonic ms. */
  readonly askStoredAtMs?: number | undefined;
};

/** A new recording sends its chunks first; one found at a start asks with its manifest what is still missing. */
export function startUpload({ chunkCount, isResumed, doubtfulMax = 2, askStoredAtMs }: UploadStart): UploadState {
  const isStored = askStoredAtMs !== undefined;
  return {
    chunkCount,
    list: isResumed || isStored ? [] : Array.from({ length: chunkCount }, (_, index) => index),
    position: 0,
    again: [],
    inFlight: 0,
    missingMax: undefined,
    manifest: isStored ? 'awaiting-receipt' : 'unsent',
    isStored,
    notBeforeMs: 0,
    receiptDueMs: askStoredAtMs ?? 0,
    failures: 0,
    lastError: undefined,
    silences: 0,
    doubtful: 0,
    doubtfulMax,
    outcome: undefined,
  };
}

/** Chunks that are not known to have arrived, those in flight among them. */
export function chunksLeft(state: UploadState): number {
  return state.list.length - state.position + state.again.length + state.inFlight;
}

/** What to send next. The manifest follows the last chunk at once: the link keeps their order. */
export function nextSend(state: UploadState, nowMs: number): NextSend {
  if (state.outcome !== undefined) return { kind: 'idle' };
  if (nowMs < state.notBeforeMs) return { kind: 'wait', untilMs: state.notBeforeMs };
  const index = state.again[0] ?? state.list[state.position];
  if (index !== undefined) return { kind: 'chunk', index };
  if (state.manifest === 'unsent') return { kind: 'manifest' };
  if (state.inFlight > 0 || state.manifest === 'in-flight') return { kind: 'idle' };
  if (nowMs >= state.receiptDueMs) return { kind: 'manifest' };
  return { kind: 'wait', untilMs: state.receiptDueMs };
}

/** The state after something happened. An upload that is over does not change any more. */
export function stepUpload(state: UploadState, input: UploadInput, moment: Moment): UploadState {
  if (state.outcome !== undefined) return state;
  switch (input.kind) {
    case 'chunk-sent': {
      const isAgain = state.again.length > 0;
      const rest = isAgain ? { again: state.again.slice(1) } : { position: state.position + 1 };
      return { ...state, ...rest, inFlight: state.inFlight + 1 };
    }
    case 'chunk-stored':
      return {
        ...state,
        inFlight: Math.max(0, state.inFlight - 1),
        missingMax: state.missingMax === undefined ? undefined : Math.max(0, state.missingMax - 1),
        failures: 0,
      };
    case 'manifest-sent': {
      const isRepeat = state.manifest === 'awaiting-receipt';
      return {
        ...state,
        manifest: 'in-flight',
        missingMax: state.missingMax ?? state.chunkCount,
        silences: isRepeat ? state.silences + 1 : state.silences,
      };
    }
    case 'manifest-stored':
      // A receipt that was faster than the server's acknowledgement has decided what comes next.
      if (state.manifest !== 'in-flight') return state;
      return {
        ...state,
        manifest: 'awaiting-receipt',
        failures: 0,
        receiptDueMs: moment.nowMs + receiptTimeoutMs(state.silences, moment.jitter),
      };
    case 'send-failed':
      return afterFailure(state, input, moment);
    case 'receipt-missing':
      return afterMissing(state, input.chunks, moment);
    case 'receipt-stored':
      return afterStored(state, input.askAgainMs, moment);
    case 'receipt-verified':
      return { ...state, outcome: { kind: 'verified', ledgerSequence: input.ledgerSequence } };
    case 'receipt-refused':
      return { ...state, outcome: { kind: 'refused', code: input.code, message: input.message } };
    case 'link-restored':
      return afterCut(state);
    case 'receiver-back':
      if (state.isStored || state.manifest !== 'awaiting-receipt') return state;
      return { ...state, silences: 0, receiptDueMs: moment.nowMs + RECEIPT_TIMEOUT_MS * (1 + moment.jitter) };
    default:
      return assertNever(input);
  }
}

function afterFailure(
  state: UploadState,
  input: Extract<UploadInput, { kind: 'send-failed' }>,
  moment: Moment,
): UploadState {
  const { what, failure, code, message } = input;
  if (failure === 'permanent') return { ...state, outcome: { kind: 'failed', code, message } };
  const failures = state.failures + 1;
  const waiting: UploadState = {
    ...state,
    failures,
    lastError: { code, message },
    // A manifest that was published after a chunk that did not arrive asks too early.
    manifest: 'unsent',
    notBeforeMs: moment.nowMs + backoffMs(failure, failures, moment.jitter),
  };
  if (what === 'manifest') return waiting;
  return {
    ...waiting,
    inFlight: Math.max(0, state.inFlight - 1),
    again: ascending([...state.again, what]),
    doubtful: state.doubtful + (failure === 'transient' ? 1 : 0),
  };
}

/**
 * Only the answer to the manifest that was asked last counts: a late one would send chunks that have arrived since. One that names
 * more than can be missing is late, or the receiver has lost what it had: to ask once more is cheaper than to believe it.
 */
function afterMissing(state: UploadState, chunks: readonly number[], moment: Moment): UploadState {
  const hasMore = state.position < state.list.length || state.again.length > 0 || state.inFlight > 0;
  if (state.manifest === 'unsent' || hasMore) return state;
  const list = ascending(chunks.filter((index) => index >= 0 && index < state.chunkCount));
  const silences = state.silences + 1;
  const isFirst = state.silences === 0;
  const notBeforeMs = isFirst ? state.notBeforeMs : moment.nowMs + backoffMs('transient', silences, moment.jitter);
  const asked: UploadState = { ...state, manifest: 'unsent', isStored: false, silences, notBeforeMs };
  if (list.length > (state.missingMax ?? state.chunkCount)) return { ...asked, missingMax: state.chunkCount };
  return { ...asked, list, position: 0, doubtful: 0, missingMax: list.length };
}

/** Nothing is sent any more; it is asked for at long intervals, in case the relay is lost. */
function afterStored(state: UploadState, askAgainMs: number, moment: Moment): UploadState {
  return {
    ...state,
    list: [],
    position: 0,
    again: [],
    manifest: 'awaiting-receipt',
    isStored: true,
    silences: 0,
    receiptDueMs: moment.nowMs + askAgainMs * (1 + moment.jitter / 2),
  };
}

/** Goes on at once. Where a cut left much in doubt, the manifest asks what has arrived; otherwise it costs more than it saves. */
function afterCut(state: UploadState): UploadState {
  if (state.isStored) return { ...state, notBeforeMs: 0, failures: 0 };
  const calm = { ...state, notBeforeMs: 0, receiptDueMs: 0, failures: 0, silences: 0 };
  if (state.doubtful <= state.doubtfulMax) return { ...calm, doubtful: 0 };
  return { ...calm, list: [], position: 0, again: [], manifest: 'unsent', doubtful: 0 };
}

function receiptTimeoutMs(silences: number, jitter: number): number {
  const stepMs = Math.min(RECEIPT_TIMEOUT_MS_MAX, RECEIPT_TIMEOUT_MS * 2 ** Math.min(RECEIPT_DOUBLINGS_MAX, silences));
  return stepMs * (1 + jitter / 2);
}

function ascending(indexes: readonly number[]): readonly number[] {
  return [...new Set(indexes)].toSorted((a, b) => a - b);
}
