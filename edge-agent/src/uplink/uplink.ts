/** Brings the spool's recordings and tombstones to the cloud: the most urgent first at every chunk, for as long as it takes. */
import { FleetError, type Priority, subjects, type VehicleId } from '@fleetloop/schemas';
import { digestFromBytes } from '@fleetloop/schemas/crypto';
import type { Receipt } from '@fleetloop/schemas/wire';
import type { AgentClock, AgentLogger, VehicleLink, VehicleSigner } from '../ports.ts';
import { classifyFailure } from './backoff.ts';
import {
  answerTimeoutMs,
  type Flight,
  type LinkModel,
  onConfirmed,
  onLost,
  onSent,
  startLinkModel,
} from './link-model.ts';
import { MessageSender } from './message-sender.ts';
import { fixedNetworkClass, type NetworkClassSource } from './network-class.ts';
import { inputOfReceipt } from './receipt-input.ts';
import { type Candidate, IDLE_WAIT_MS, SendChoice } from './send-choice.ts';
import { holdAfter, type SendHold } from './send-hold.ts';
import { parseReceipt } from './signed-manifest.ts';
import { SpoolSync } from './spool-sync.ts';
import { TrafficBudget, type TrafficFiles } from './traffic-budget.ts';
import { DEFAULT_UPLINK_CONFIG, type UplinkConfig } from './uplink-config.ts';
import { explainUpload, explainUplink, type UplinkExplanation, type UploadExplanation } from './uplink-explanation.ts';
import { isAiling, type Upload, UploadBook } from './upload-book.ts';
import { UploadEnds } from './upload-ends.ts';
import type { UploadSpool } from './upload-item.ts';
import { UploadSteps } from './upload-steps.ts';

/** Messages that wait for the server at a time, however small they are. */
export const MESSAGES_IN_FLIGHT_MAX = 64;
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

export class Uplink {
  readonly #options: UplinkOptions;
  readonly #config: UplinkConfig;
  readonly #book = new UploadBook();
  readonly #sync: SpoolSync;
  readonly #traffic: TrafficBudget;
  readonly #ends: UploadEnds;
  readonly #steps: UploadSteps;
  readonly #choice: SendChoice;
  readonly #sender: MessageSender;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #holds = new Map<Priority, SendHold>();
  #model: LinkModel;
  #heardAtMs: number;
  #wake: () => void = () => {};
  #unknownReceipts = 0;

  constructor(options: UplinkOptions) {
    const { link, spool, vehicleId, clock, logger, files, config = DEFAULT_UPLINK_CONFIG } = options;
    const network = options.network ?? fixedNetworkClass(config.networkClass);
    this.#options = options;
    this.#config = config;
    this.#model = startLinkModel(config.inFlightBytesMax);
    this.#heardAtMs = clock.monotonicMs();
    this.#traffic = new TrafficBudget({ config, network, files, clock, logger });
    this.#traffic.onChange(() => this.#wake());
    this.#sync = new SpoolSync({ spool, book: this.#book, clock });
    this.#ends = new UploadEnds(spool, logger);
    const [book, ends, traffic, holds] = [this.#book, this.#ends, this.#traffic, this.#holds];
    const onEnd = (): void => {
      this.#sync.changed();
      this.#wake();
    };
    this.#steps = new UploadSteps({ book, ends, clock, config, onEnd });
    this.#choice = new SendChoice({ book, steps: this.#steps, traffic, holds, config });
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
      const countAiling = nowMs - this.#heardAtMs > RECEIVER_SILENT_MS;
      const choice = this.#choice.next({ nowMs, model: this.#model, countAiling });
      if (typeof choice === 'number') return choice;
      this.#begin(choice);
    }
    return IDLE_WAIT_MS;
  }

  #begin({ upload, what, bytes }: Candidate): void {
    const { clock } = this.#options;
    const timeoutMs = answerTimeoutMs(this.#model, bytes);
    const { model, flight } = onSent(this.#model, bytes, clock.monotonicMs());
    this.#model = model;
    this.#traffic.spend(bytes);
    this.#steps.step(upload, { kind: what === 'manifest' ? 'manifest-sent' : 'chunk-sent' });
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
    this.#steps.step(upload, { kind: what === 'manifest' ? 'manifest-stored' : 'chunk-stored' });
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
    this.#steps.step(upload, { kind: 'send-failed', what, failure, code, message });
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
      this.#steps.step(upload, input);
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
      if (upload.state !== undefined && isAiling(upload.state)) this.#steps.step(upload, { kind: 'receiver-back' });
    }
  }

  #onConnected(): void {
    this.#heardAtMs = this.#options.clock.monotonicMs();
    this.#holds.clear();
    for (const upload of this.#book.all()) {
      if (upload.state !== undefined) this.#steps.step(upload, { kind: 'link-restored' });
    }
    this.#wake();
  }
}
