/** Brings the spool's recordings and tombstones to the cloud: the most urgent first at every chunk, for as long as it takes. */
import { FleetError, PRIORITIES, type Priority, subjects, type VehicleId } from '@fleetloop/schemas';
import { digestFromBytes } from '@fleetloop/schemas/crypto';
import type { Receipt } from '@fleetloop/schemas/wire';
import type { AgentClock, AgentLogger, VehicleLink, VehicleSigner } from '../ports.ts';
import { classifyFailure } from './backoff.ts';
import { charge, nextTurn, type Shares, startRound } from './deficit-round.ts';
import {
  answerTimeoutMs,
  type Flight,
  type LinkModel,
  mayTake,
  onConfirmed,
  onLost,
  onSent,
  startLinkModel,
} from './link-model.ts';
import { MessageSender } from './message-sender.ts';
import { fixedNetworkClass, type NetworkClassSource } from './network-class.ts';
import { inputOfReceipt } from './receipt-input.ts';
import { holdAfter, type SendHold } from './send-hold.ts';
import { parseReceipt } from './signed-manifest.ts';
import { SpoolSync } from './spool-sync.ts';
import { TrafficBudget, type TrafficFiles } from './traffic-budget.ts';
import { DEFAULT_UPLINK_CONFIG, type UplinkConfig } from './uplink-config.ts';
import { explainUpload, explainUplink, type UplinkExplanation, type UploadExplanation } from './uplink-explanation.ts';
import { isAiling, type Upload, UploadBook } from './upload-book.ts';
import { UploadEnds } from './upload-ends.ts';
import { chunkBytes, doubtfulMax, manifestBytes, MESSAGE_OVERHEAD_BYTES, type UploadSpool } from './upload-item.ts';
import { nextSend, startUpload, stepUpload, type UploadInput, type UploadState } from './upload-state.ts';

/** Messages that wait for the server at a time, however small they are. */
export const MESSAGES_IN_FLIGHT_MAX = 64;
const IDLE_WAIT_MS = 60_000;
/** After the disk refused an outcome. */
const OUTCOME_RETRY_MS = 30_000;
/** Without a receipt for this long nobody seems to answer, and nothing new is begun. */
const RECEIVER_SILENT_MS = 60_000;
/** How long a stop waits for what is in flight; the rest is asked for at the next start. */
const STOP_WAIT_MS = 1_500;

export type UplinkOptions = {
  readonly vehicleId: VehicleId;
  readonly spool: UploadSpool;
  readonly link: VehicleLink;
  readonly signer: VehicleSigner;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  readonly config?: UplinkConfig;
  /** Where the bytes of the day are kept; without it a restart begins a new day. */
  readonly files?: TrafficFiles;
  readonly network?: NetworkClassSource;
};

/** One message that could go now. */
type Candidate = { readonly upload: Upload; readonly what: 'manifest' | number; readonly bytes: number };

export class Uplink {
  readonly #options: UplinkOptions;
  readonly #config: UplinkConfig;
  readonly #book = new UploadBook();
  readonly #sync: SpoolSync;
  readonly #traffic: TrafficBudget;
  readonly #ends: UploadEnds;
  readonly #sender: MessageSender;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #holds = new Map<Priority, SendHold>();
  #model: LinkModel;
  #round: Shares;
  #heardAtMs: number;
  #wake: () => void = () => {};
  #unknownReceipts = 0;

  constructor(options: UplinkOptions) {
    const { link, spool, vehicleId, clock, logger, files, config = DEFAULT_UPLINK_CONFIG } = options;
    const network = options.network ?? fixedNetworkClass(config.networkClass);
    this.#options = options;
    this.#config = config;
    this.#model = startLinkModel(config.inFlightBytesMax);
    this.#round = startRound(config.quantaBytes);
    this.#heardAtMs = clock.monotonicMs();
    this.#traffic = new TrafficBudget({ config, network, files, clock, logger });
    this.#traffic.onChange(() => this.#wake());
    this.#sync = new SpoolSync({ spool, book: this.#book, clock });
    this.#ends = new UploadEnds(spool, logger);
    this.#sender = new MessageSender(options);
    link.subscribe(subjects.receipt(vehicleId), (payload) => this.#onReceipt(payload));
    link.onConnected(() => this.#onConnected());
    spool.onChange(() => {
      this.#sync.changed();
      this.#wake();
    });
  }

  /** Receipts for recordings that this vehicle does not wait for, e.g. repeated ones. */
  get unknownReceipts(): number {
    return this.#unknownReceipts;
  }

  /** Why things are as they are. */
  explain(): UplinkExplanation {
    return explainUplink({
      nowMs: this.#options.clock.monotonicMs(),
      link: this.#options.link,
      networkClass: this.#traffic.networkClass,
      leftToday: (priority) => this.#traffic.leftToday(priority),
      model: this.#model,
      holds: this.#holds,
      uploads: this.#book.all(),
      unknownReceipts: this.#unknownReceipts,
    });
  }

  /** One recording, while it waits. */
  explainEvent(eventId: string): UploadExplanation | undefined {
    const upload = this.#book.find(eventId) ?? this.#book.find(`tombstone:${eventId}`);
    return upload === undefined ? undefined : explainUpload(upload, this.#options.clock.monotonicMs());
  }

  /** Runs until the signal is aborted, then waits a moment for what is in flight. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    await this.#traffic.restore();
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      const forMs = this.#work();
      const timer = new AbortController();
      await Promise.race([woken, clock.wait(forMs, timer.signal)]);
      timer.abort();
    }
    const timer = new AbortController();
    await Promise.race([Promise.allSettled(this.#inFlight), clock.wait(STOP_WAIT_MS, timer.signal)]);
    timer.abort();
    await this.#ends.written();
    await this.#traffic.close();
  }

  /** Starts what can be sent now; returns after how many ms something may become due. */
  #work(): number {
    const nowMs = this.#options.clock.monotonicMs();
    const syncInMs = this.#sync.run(nowMs);
    const wakeInMs = this.#book.wake(nowMs) - nowMs;
    const sendInMs = this.#startSends(nowMs);
    return Math.max(1, Math.min(IDLE_WAIT_MS, syncInMs, wakeInMs, sendInMs));
  }

  #startSends(nowMs: number): number {
    while (this.#options.link.isConnected && this.#inFlight.size < MESSAGES_IN_FLIGHT_MAX) {
      const choice = this.#choose(nowMs);
      if (typeof choice === 'number') return choice;
      this.#begin(choice);
    }
    return IDLE_WAIT_MS;
  }

  /** The message that goes next, or how long there will be none, ms. */
  #choose(nowMs: number): Candidate | number {
    const countAiling = nowMs - this.#heardAtMs > RECEIVER_SILENT_MS;
    let waitMs = IDLE_WAIT_MS;
    const may = (candidate: Candidate | undefined, priority: Priority): candidate is Candidate => {
      if (candidate === undefined) return false;
      const heldMs = (this.#holds.get(candidate.upload.item.entry.priority)?.untilMs ?? 0) - nowMs;
      const blockedMs = Math.max(heldMs, this.#traffic.dayWaitMs(priority, candidate.bytes));
      if (blockedMs > 0) waitMs = Math.min(waitMs, blockedMs);
      return blockedMs <= 0;
    };
    const tombstone = this.#candidateOf(this.#book.next('tombstone', countAiling), nowMs);
    if (may(tombstone, 'safety')) return this.#admit(tombstone, 'safety', nowMs);
    const candidates = new Map<Priority, Candidate>();
    for (const priority of PRIORITIES) {
      const candidate = this.#candidateOf(this.#nextOf(priority, countAiling, nowMs), nowMs);
      // A boost changes the order and not the budget: bulk stays bulk on a bill.
      if (may(candidate, candidate?.upload.item.entry.priority ?? priority)) candidates.set(priority, candidate);
    }
    const turn = nextTurn(this.#round, this.#config.quantaBytes, (priority) => candidates.has(priority));
    const chosen = turn === undefined ? undefined : candidates.get(turn.priority);
    if (turn === undefined || chosen === undefined) return waitMs;
    this.#round = turn.round;
    return this.#admit(chosen, turn.priority, nowMs);
  }

  /** One that a relay has waits for its time before it has begun: it must not stand in front of the others. */
  #nextOf(priority: Priority, countAiling: boolean, nowMs: number): Upload | undefined {
    for (;;) {
      const upload = this.#book.next(priority, countAiling);
      if (upload === undefined || upload.state !== undefined) return upload;
      if (upload.item.kind !== 'recording' || upload.item.entry.storedAt === undefined) return upload;
      upload.state = this.#stateOf(upload);
      this.#book.update(upload.key, nowMs);
    }
  }

  #candidateOf(upload: Upload | undefined, nowMs: number): Candidate | undefined {
    if (upload === undefined) return undefined;
    const next = nextSend(this.#stateOf(upload), nowMs);
    if (next.kind === 'manifest') return { upload, what: 'manifest', bytes: manifestBytes(upload.item) };
    if (next.kind !== 'chunk' || upload.item.kind !== 'recording') return undefined;
    return { upload, what: next.index, bytes: chunkBytes(upload.item.entry, next.index) + MESSAGE_OVERHEAD_BYTES };
  }

  /** The rate and the window have the last word; what is urgent may wait on the link instead of here. */
  #admit(candidate: Candidate, priority: Priority, nowMs: number): Candidate | number {
    const spareBytes = priority === 'safety' ? this.#model.pieceBytes : 0;
    if (!mayTake(this.#model, candidate.bytes - spareBytes, nowMs)) return IDLE_WAIT_MS;
    const flowMs = this.#traffic.flowWaitMs(candidate.bytes);
    if (flowMs > 0) return Math.min(IDLE_WAIT_MS, flowMs);
    if (candidate.upload.item.kind === 'recording') this.#round = charge(this.#round, priority, candidate.bytes);
    return candidate;
  }

  #stateOf(upload: Upload): UploadState {
    if (upload.state !== undefined) return upload.state;
    const { item } = upload;
    if (item.kind === 'tombstone') return startUpload({ chunkCount: 0, isResumed: true });
    const { chunkDigests, isResumed, storedAt } = item.entry;
    return startUpload({
      chunkCount: chunkDigests.length,
      isResumed,
      doubtfulMax: doubtfulMax(item.entry),
      askStoredAtMs: storedAt === undefined ? undefined : this.#nextStoredAskMs(),
    });
  }

  #nextStoredAskMs(): number {
    const { clock } = this.#options;
    return clock.monotonicMs() + this.#config.storedAskMs * clock.random();
  }

  #begin({ upload, what, bytes }: Candidate): void {
    const { clock } = this.#options;
    const timeoutMs = answerTimeoutMs(this.#model, bytes);
    const { model, flight } = onSent(this.#model, bytes, clock.monotonicMs());
    this.#model = model;
    this.#traffic.spend(bytes);
    this.#step(upload, { kind: what === 'manifest' ? 'manifest-sent' : 'chunk-sent' });
    const sent = this.#sender
      .send(upload.item, what, timeoutMs)
      .then(() => this.#onServerHas(upload, what, flight))
      .catch((error: unknown) => this.#onFailure(upload, what, { flight, timeoutMs, error }))
      .finally(() => {
        this.#inFlight.delete(sent);
        this.#wake();
      });
    this.#inFlight.add(sent);
  }

  #onServerHas(upload: Upload, what: 'manifest' | number, flight: Flight): void {
    this.#model = onConfirmed(this.#model, flight, this.#options.clock.monotonicMs());
    this.#holds.delete(upload.item.entry.priority);
    this.#step(upload, { kind: what === 'manifest' ? 'manifest-stored' : 'chunk-stored' });
  }

  #onFailure(
    upload: Upload,
    what: 'manifest' | number,
    attempt: { readonly flight: Flight; readonly timeoutMs: number; readonly error: unknown },
  ): void {
    const { clock, logger } = this.#options;
    const nowMs = clock.monotonicMs();
    const error = FleetError.from(attempt.error, 'UPLINK_UNAVAILABLE');
    const failure = classifyFailure(error);
    const { code, message } = error;
    const { eventId, priority } = upload.item.entry;
    this.#model = onLost(this.#model, attempt.flight, nowMs - attempt.flight.sentAtMs >= attempt.timeoutMs);
    if (failure === 'auth' || failure === 'busy') {
      const moment = { nowMs, jitter: clock.random() };
      this.#holds.set(priority, holdAfter(this.#holds.get(priority), { reason: failure, code, message }, moment));
    }
    logger.warn({ eventId, what, failure, code, message }, 'uplink.send.failed');
    this.#step(upload, { kind: 'send-failed', what, failure, code, message });
  }

  #onReceipt(payload: Uint8Array): void {
    const { logger } = this.#options;
    try {
      const receipt = parseReceipt(payload);
      this.#hear();
      const upload = this.#uploadOf(receipt);
      if (upload === undefined) {
        this.#unknownReceipts += 1;
        return;
      }
      const { item } = upload;
      const chunkCount = item.kind === 'recording' ? item.entry.chunkDigests.length : 0;
      const input = inputOfReceipt(receipt.outcome, chunkCount, this.#config.storedAskMs);
      if (input === undefined) return;
      if (receipt.outcome.case === 'stored') this.#ends.stored(item, receipt.outcome.value.relay);
      this.#step(upload, input);
      this.#wake();
    } catch (error) {
      const { code, message } = FleetError.from(error);
      logger.warn({ code, message }, 'uplink.receipt.unreadable');
    }
  }

  /** What a receipt answers: the recording with those very bytes, or else the tombstone of the event. */
  #uploadOf(receipt: Receipt): Upload | undefined {
    const recording = this.#book.find(receipt.eventId);
    const isDigest = receipt.recordingDigest.length > 0;
    if (isDigest && recording?.item.entry.digest === digestFromBytes(receipt.recordingDigest)) return recording;
    return this.#book.find(`tombstone:${receipt.eventId}`);
  }

  /** Somebody answers. After a silence, what waited for an answer is asked for again soon. */
  #hear(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const wasSilent = nowMs - this.#heardAtMs > RECEIVER_SILENT_MS;
    this.#heardAtMs = nowMs;
    if (!wasSilent) return;
    for (const upload of this.#book.all()) {
      if (upload.state !== undefined && isAiling(upload.state)) this.#step(upload, { kind: 'receiver-back' });
    }
  }

  #onConnected(): void {
    this.#heardAtMs = this.#options.clock.monotonicMs();
    this.#holds.clear();
    for (const upload of this.#book.all()) {
      if (upload.state !== undefined) this.#step(upload, { kind: 'link-restored' });
    }
    this.#wake();
  }

  #step(upload: Upload, input: UploadInput): void {
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    upload.state = stepUpload(this.#stateOf(upload), input, { nowMs, jitter: clock.random() });
    const { outcome } = upload.state;
    if (outcome !== undefined && !upload.isSettling) {
      upload.isSettling = true;
      this.#ends.write(upload.item, outcome, (isWritten) => this.#onEnd(upload, isWritten));
    }
    // An event that came again with other bytes has an upload of its own by now.
    if (this.#book.find(upload.key) === upload) this.#book.update(upload.key, nowMs);
  }

  /** If the disk refused the outcome, the upload stays and is asked for again. */
  #onEnd(upload: Upload, isWritten: boolean): void {
    const nowMs = this.#options.clock.monotonicMs();
    const isCurrent = this.#book.find(upload.key) === upload;
    if (isWritten && isCurrent) this.#book.remove(upload.key);
    if (!isWritten) {
      const chunkCount = upload.state?.chunkCount ?? 0;
      upload.state = { ...startUpload({ chunkCount, isResumed: true }), notBeforeMs: nowMs + OUTCOME_RETRY_MS };
      upload.isSettling = false;
      if (isCurrent) this.#book.update(upload.key, nowMs);
    }
    this.#sync.changed();
    this.#wake();
  }
}
