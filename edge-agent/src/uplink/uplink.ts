/** Brings the spool's recordings to the cloud: highest priority first at every chunk, few publishes in flight, for as long as it takes. */
import { CHUNK_DIGEST_HEADER, FleetError, parseDigest, PRIORITIES, subjects, type VehicleId } from '@fleetloop/schemas';
import { digestFromBytes, digestOfBytes } from '@fleetloop/schemas/crypto';
import type { AgentClock, AgentLogger, VehicleLink, VehicleSigner } from '../ports.ts';
import type { Spool } from '../spool/spool.ts';
import type { SpoolEntry } from '../spool/spool-entry.ts';
import { classifyFailure } from './backoff.ts';
import { indexesOfBitmap, parseReceipt, signManifest } from './signed-manifest.ts';
import {
  nextSend,
  startUpload,
  stepUpload,
  type UploadInput,
  type UploadOutcome,
  type UploadState,
} from './upload-state.ts';

/** Publishes that wait for the server at a time; with 512 KiB each it bounds memory and keeps the link busy. */
export const PUBLISHES_IN_FLIGHT_MAX = 4;
/** Uploads of one priority that are begun and not finished; the next waits. */
export const UPLOADS_OPEN_MAX = 32;
const IDLE_WAIT_MS = 60_000;

export type UplinkOptions = {
  readonly vehicleId: VehicleId;
  readonly spool: Spool;
  readonly link: VehicleLink;
  readonly signer: VehicleSigner;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
};

type Sending = { readonly entry: SpoolEntry; readonly what: 'manifest' | number };
type Choice = { readonly kind: 'send'; readonly sending: Sending } | { readonly kind: 'wait'; readonly forMs: number };

export class Uplink {
  readonly #options: UplinkOptions;
  readonly #uploads = new Map<string, UploadState>();
  readonly #inFlight = new Set<Promise<void>>();
  /** Outcomes that are being written to the spool. */
  readonly #settling = new Set<string>();
  #wake: () => void = () => {};
  #unknownReceipts = 0;

  constructor(options: UplinkOptions) {
    this.#options = options;
    const { link, spool, vehicleId } = options;
    link.subscribe(subjects.receipt(vehicleId), (payload) => this.#onReceipt(payload));
    link.onConnected(() => this.#onConnected());
    spool.onChange(() => this.#wake());
  }

  /** Receipts for recordings that this vehicle does not wait for, e.g. repeated ones. */
  get unknownReceipts(): number {
    return this.#unknownReceipts;
  }

  /** Runs until the signal is aborted, then waits for what is in flight. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      const forMs = this.#startSends();
      const timer = new AbortController();
      await Promise.race([woken, this.#options.clock.wait(forMs, timer.signal)]);
      timer.abort();
    }
    await Promise.allSettled(this.#inFlight);
  }

  /** Starts what can be sent now; returns after how many ms something may become due. */
  #startSends(): number {
    while (this.#options.link.isConnected && this.#inFlight.size < PUBLISHES_IN_FLIGHT_MAX) {
      const choice = this.#choose();
      if (choice.kind === 'wait') return choice.forMs;
      this.#begin(choice.sending);
    }
    return IDLE_WAIT_MS;
  }

  /** Over all recordings, the most urgent thing that can be sent now. */
  #choose(): Choice {
    const nowMs = this.#options.clock.monotonicMs();
    let untilMs = nowMs + IDLE_WAIT_MS;
    const open = new Map<string, number>();
    for (const entry of this.#byUrgency()) {
      const count = open.get(entry.priority) ?? 0;
      if (count >= UPLOADS_OPEN_MAX || this.#settling.has(entry.eventId)) continue;
      open.set(entry.priority, count + 1);
      const next = nextSend(this.#stateOf(entry), nowMs);
      if (next.kind === 'chunk') return { kind: 'send', sending: { entry, what: next.index } };
      if (next.kind === 'manifest') return { kind: 'send', sending: { entry, what: 'manifest' } };
      if (next.kind === 'wait') untilMs = Math.min(untilMs, next.untilMs);
    }
    return { kind: 'wait', forMs: Math.max(1, untilMs - nowMs) };
  }

  #byUrgency(): readonly SpoolEntry[] {
    const entries = this.#options.spool.entries();
    return PRIORITIES.flatMap((priority) => entries.filter((entry) => entry.priority === priority));
  }

  #stateOf(entry: SpoolEntry): UploadState {
    return this.#uploads.get(entry.eventId) ?? startUpload(entry.chunkDigests.length, entry.isResumed);
  }

  #begin(sending: Sending): void {
    const { entry, what } = sending;
    this.#step(entry, what === 'manifest' ? { kind: 'manifest-sent' } : { kind: 'chunk-sent', index: what });
    const sent = this.#send(sending)
      .then(() =>
        this.#step(entry, what === 'manifest' ? { kind: 'manifest-stored' } : { kind: 'chunk-stored', index: what }),
      )
      .catch((error: unknown) => this.#onFailure(sending, FleetError.from(error, 'UPLINK_UNAVAILABLE')))
      .finally(() => {
        this.#inFlight.delete(sent);
        this.#wake();
      });
    this.#inFlight.add(sent);
  }

  async #send({ entry, what }: Sending): Promise<void> {
    const { link, spool, vehicleId, signer } = this.#options;
    if (what === 'manifest') {
      await link.publish(subjects.manifest(vehicleId), signManifest(entry, vehicleId, signer));
      return;
    }
    const bytes = await spool.readChunk(entry, what);
    const digest = digestOfBytes(bytes);
    if (digest !== entry.chunkDigests[what]) {
      throw new FleetError(
        'SPOOL_CORRUPT',
        `chunk ${what} of recording ${entry.eventId} has changed on disk: the disk may be failing`,
      );
    }
    await link.publish(subjects.chunk(vehicleId, entry.priority), bytes, {
      [CHUNK_DIGEST_HEADER]: parseDigest(digest),
    });
  }

  #onFailure({ entry, what }: Sending, error: FleetError): void {
    const failure = classifyFailure(error);
    const { code, message } = error;
    this.#options.logger.warn({ eventId: entry.eventId, what, failure, code, message }, 'uplink.send.failed');
    this.#step(entry, { kind: 'send-failed', what, failure, code, message });
  }

  #onReceipt(payload: Uint8Array): void {
    const { spool, logger } = this.#options;
    try {
      const receipt = parseReceipt(payload);
      const entry = spool.entry(receipt.eventId);
      if (entry === undefined || entry.digest !== digestFromBytes(receipt.recordingDigest)) {
        this.#unknownReceipts += 1;
        return;
      }
      const input = inputOf(receipt.outcome, entry.chunkDigests.length);
      if (input !== undefined) this.#step(entry, input);
      this.#wake();
    } catch (error) {
      const { code, message } = FleetError.from(error);
      logger.warn({ code, message }, 'uplink.receipt.unreadable');
    }
  }

  #onConnected(): void {
    for (const entry of this.#options.spool.entries()) {
      if (this.#uploads.has(entry.eventId)) this.#step(entry, { kind: 'link-restored' });
    }
    this.#wake();
  }

  #step(entry: SpoolEntry, input: UploadInput): void {
    const { clock } = this.#options;
    const before = this.#stateOf(entry);
    const after = stepUpload(before, input, { nowMs: clock.monotonicMs(), jitter: clock.random() });
    this.#uploads.set(entry.eventId, after);
    if (after.outcome !== undefined && !this.#settling.has(entry.eventId)) this.#settle(entry, after.outcome);
  }

  /** Writes the end of an upload to the spool. If the disk refuses, the upload stays and is asked for again. */
  #settle(entry: SpoolEntry, outcome: UploadOutcome): void {
    const { logger } = this.#options;
    const { eventId } = entry;
    this.#settling.add(eventId);
    const settled = this.#writeOutcome(eventId, outcome)
      .catch((error: unknown) => {
        const { code, message } = FleetError.from(error);
        logger.error({ eventId, code, message }, 'uplink.outcome.failed');
      })
      .finally(() => {
        this.#uploads.delete(eventId);
        this.#settling.delete(eventId);
        this.#inFlight.delete(settled);
        this.#wake();
      });
    this.#inFlight.add(settled);
  }

  async #writeOutcome(eventId: string, outcome: UploadOutcome): Promise<void> {
    const { spool, logger } = this.#options;
    if (outcome.kind === 'verified') {
      await spool.verified(eventId, outcome.ledgerSequence);
      logger.info({ eventId, ledgerSequence: outcome.ledgerSequence.toString() }, 'uplink.recording.verified');
      return;
    }
    const { code, message } = outcome;
    if (outcome.kind === 'refused') await spool.refused(eventId, code, message);
    else await spool.quarantine(eventId, code, message);
    logger.warn({ eventId, code, message }, `uplink.recording.${outcome.kind}`);
  }
}

type ReceiptOutcome = ReturnType<typeof parseReceipt>['outcome'];

function inputOf(outcome: ReceiptOutcome, chunkCount: number): UploadInput | undefined {
  switch (outcome.case) {
    case 'missing':
      return { kind: 'receipt-missing', chunks: indexesOfBitmap(outcome.value.chunkBitmap, chunkCount) };
    case 'verified':
      return { kind: 'receipt-verified', ledgerSequence: outcome.value.ledgerSequence };
    case 'refused':
      return { kind: 'receipt-refused', code: outcome.value.code, message: outcome.value.message };
    default:
      return undefined;
  }
}
