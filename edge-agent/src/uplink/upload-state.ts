/**
 * One upload as a pure state machine: chunks, then the manifest, then a receipt that names what is missing or ends it. Every
 * step may be lost, repeated or late; a chunk is its digest, so doing it again does no harm.
 */
import { assertNever } from '@fleetloop/schemas';
import { backoffMs, type FailureClass } from './backoff.ts';

/** How long a receipt may take before the manifest is published again, ms; doubles with each silence. */
export const RECEIPT_TIMEOUT_MS = 3_000;
const RECEIPT_TIMEOUT_MS_MAX = 30_000;
const RECEIPT_DOUBLINGS_MAX = 5;

export type UploadOutcome =
  | { readonly kind: 'verified'; readonly ledgerSequence: bigint }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

export type UploadState = {
  readonly chunkCount: number;
  /** Chunks to publish, ascending. */
  readonly queued: readonly number[];
  readonly inFlight: ReadonlySet<number>;
  readonly manifest: 'unsent' | 'in-flight' | 'awaiting-receipt';
  /** Nothing is sent before this, monotonic ms. */
  readonly notBeforeMs: number;
  /** The manifest is published again at this time, monotonic ms. */
  readonly receiptDueMs: number;
  /** Failures in a row. */
  readonly failures: number;
  /** Receipts in a row that did not come or did not end it. */
  readonly silences: number;
  readonly outcome: UploadOutcome | undefined;
};

export type UploadInput =
  | { readonly kind: 'chunk-sent'; readonly index: number }
  | { readonly kind: 'chunk-stored'; readonly index: number }
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
  | { readonly kind: 'receipt-verified'; readonly ledgerSequence: bigint }
  | { readonly kind: 'receipt-refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'link-restored' };

/** Time and chance of a step. */
export type Moment = { readonly nowMs: number; readonly jitter: number };

export type NextSend =
  | { readonly kind: 'chunk'; readonly index: number }
  | { readonly kind: 'manifest' }
  | { readonly kind: 'wait'; readonly untilMs: number }
  /** Something is in flight, or all is over. */
  | { readonly kind: 'idle' };

/** A new recording sends its chunks first; one found at a start asks with its manifest what is still missing. */
export function startUpload(chunkCount: number, isResumed: boolean): UploadState {
  const queued = isResumed ? [] : Array.from({ length: chunkCount }, (_, index) => index);
  return {
    chunkCount,
    queued,
    inFlight: new Set(),
    manifest: 'unsent',
    notBeforeMs: 0,
    receiptDueMs: 0,
    failures: 0,
    silences: 0,
    outcome: undefined,
  };
}

/** What to send next. */
export function nextSend(state: UploadState, nowMs: number): NextSend {
  if (state.outcome !== undefined) return { kind: 'idle' };
  if (nowMs < state.notBeforeMs) return { kind: 'wait', untilMs: state.notBeforeMs };
  const [index] = state.queued;
  if (index !== undefined) return { kind: 'chunk', index };
  if (state.inFlight.size > 0 || state.manifest === 'in-flight') return { kind: 'idle' };
  if (state.manifest === 'unsent' || nowMs >= state.receiptDueMs) return { kind: 'manifest' };
  return { kind: 'wait', untilMs: state.receiptDueMs };
}

/** The state after something happened. An upload that is over does not change any more. */
export function stepUpload(state: UploadState, input: UploadInput, moment: Moment): UploadState {
  if (state.outcome !== undefined) return state;
  switch (input.kind) {
    case 'chunk-sent':
      return {
        ...state,
        queued: state.queued.filter((index) => index !== input.index),
        inFlight: new Set([...state.inFlight, input.index]),
      };
    case 'chunk-stored':
      return { ...state, inFlight: without(state.inFlight, input.index), failures: 0 };
    case 'manifest-sent': {
      const isRepeat = state.manifest === 'awaiting-receipt';
      return { ...state, manifest: 'in-flight', silences: isRepeat ? state.silences + 1 : state.silences };
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
    case 'receipt-verified':
      return { ...state, outcome: { kind: 'verified', ledgerSequence: input.ledgerSequence } };
    case 'receipt-refused':
      return { ...state, outcome: { kind: 'refused', code: input.code, message: input.message } };
    case 'link-restored':
      return { ...state, notBeforeMs: 0, receiptDueMs: 0, failures: 0, silences: 0 };
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
  const waiting = { ...state, failures, notBeforeMs: moment.nowMs + backoffMs(failure, failures, moment.jitter) };
  if (what === 'manifest') return { ...waiting, manifest: 'unsent' };
  return { ...waiting, inFlight: without(state.inFlight, what), queued: ascending([...state.queued, what]) };
}

/** Only the answer to the manifest that was asked last counts: a late one would send chunks that have arrived since. */
function afterMissing(state: UploadState, chunks: readonly number[], moment: Moment): UploadState {
  if (state.manifest === 'unsent' || state.queued.length > 0 || state.inFlight.size > 0) return state;
  const valid = chunks.filter((index) => index >= 0 && index < state.chunkCount);
  const silences = state.silences + 1;
  const isFirst = state.silences === 0;
  const notBeforeMs = isFirst ? state.notBeforeMs : moment.nowMs + backoffMs('transient', silences, moment.jitter);
  return { ...state, manifest: 'unsent', queued: ascending(valid), silences, notBeforeMs };
}

function receiptTimeoutMs(silences: number, jitter: number): number {
  const stepMs = Math.min(RECEIPT_TIMEOUT_MS_MAX, RECEIPT_TIMEOUT_MS * 2 ** Math.min(RECEIPT_DOUBLINGS_MAX, silences));
  return stepMs * (1 + jitter / 2);
}

function without(set: ReadonlySet<number>, index: number): ReadonlySet<number> {
  return new Set([...set].filter((each) => each !== index));
}

function ascending(indexes: readonly number[]): readonly number[] {
  return [...new Set(indexes)].toSorted((a, b) => a - b);
}
