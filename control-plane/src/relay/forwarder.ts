/**
 * Brings what the relay holds to the centre, each priority class on a way of its own, and follows until the centre has
 * answered. Asks first and sends only what the centre lacks, so that an interruption anywhere costs nothing twice.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Digest, FleetError, PRIORITIES, type Priority } from '@fleetloop/schemas';
import type { Receipt } from '@fleetloop/schemas/wire';
import type { Logger } from 'pino';
import type { ReceivedManifest } from '../ingest/manifest.ts';
import { missingBitmap } from '../ingest/chunk.ts';
import { missingReceipt } from '../ingest/receipt.ts';
import type { Centre, HeldFiles, Outcomes, PendingReport, TellVehicle } from './ports.ts';
import type { RelayRoom } from './relay-room.ts';
import { WaitingLine } from './waiting-line.ts';

const RETRY_DELAY_MS_MIN = 250;
/** What is tried again is one small question: a centre that is back should not wait for it. */
const RETRY_DELAY_MS_MAX = 2_000;
/** Recordings of one class that are brought to the centre at once: while one waits for its answer, another uses the link. */
const RECORDINGS_AT_ONCE = 4;
/** Of one recording. */
const CHUNKS_IN_FLIGHT = 4;

export type ForwarderParts = {
  readonly centre: Centre;
  readonly staging: {
    /** @throws FleetError BLOB_NOT_FOUND */
    readonly read: (vehicleId: string, digest: Digest) => Promise<Uint8Array>;
    readonly sizes: (vehicleId: string, digests: readonly Digest[]) => Promise<readonly (number | undefined)[]>;
    readonly remove: (vehicleId: string, digests: readonly Digest[]) => Promise<void>;
  };
  readonly held: HeldFiles;
  readonly outcomes: Outcomes;
  readonly room: RelayRoom;
  readonly tell: TellVehicle;
  readonly logger: Logger;
};

type Report = PendingReport & { readonly refused: Digest };

export class Forwarder {
  readonly #parts: ForwarderParts;
  readonly #held = new Set<Digest>();
  readonly #lines = new Map(
    PRIORITIES.map((priority): [Priority, WaitingLine<ReceivedManifest>] => [priority, new WaitingLine()]),
  );
  readonly #reports = new WaitingLine<Report>();

  constructor(parts: ForwarderParts) {
    this.#parts = parts;
  }

  readonly isHeld = (digest: Digest): boolean => this.#held.has(digest);

  readonly addRecording = (manifest: ReceivedManifest): void => {
    if (this.#held.has(manifest.digest)) return;
    this.#held.add(manifest.digest);
    this.#lines.get(manifest.priority)?.push(manifest);
  };

  readonly addReport = (refused: Digest, report: PendingReport): void => this.#reports.push({ refused, ...report });

  /** Works until `signal` aborts; what is not done then is found again on the disk. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      ...[...this.#lines.values()].flatMap((line) =>
        Array.from({ length: RECORDINGS_AT_ONCE }, async () =>
          this.#work(line, async (manifest) => this.#forward(manifest), signal),
        ),
      ),
      this.#work(this.#reports, async (report) => this.#report(report), signal),
    ]);
  }

  async #work<Item>(line: WaitingLine<Item>, work: (item: Item) => Promise<void>, signal: AbortSignal): Promise<void> {
    let failures = 0;
    for (let item = await line.next(signal); item !== undefined; ) {
      try {
        await work(item);
        failures = 0;
        item = await line.next(signal);
      } catch (error) {
        const retryMs = Math.min(RETRY_DELAY_MS_MAX, RETRY_DELAY_MS_MIN * 2 ** Math.min(failures, 10));
        failures += 1;
        this.#parts.logger.warn({ err: FleetError.from(error), retryMs, waiting: line.size }, 'relay.forward.retry');
        await delay(retryMs, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
      }
    }
  }

  async #forward(manifest: ReceivedManifest): Promise<void> {
    const receipt = await this.#parts.centre.ask(manifest);
    const { outcome } = receipt;
    if (outcome.case === 'verified' || outcome.case === 'refused') return this.#settle(manifest, receipt);
    if (outcome.case !== 'missing')
      throw new FleetError(
        'RELAY_UNAVAILABLE',
        `the centre answered ${outcome.case ?? 'nothing'} to ${manifest.eventId}`,
      );
    const missing = missingOf(manifest, outcome.value.chunkBitmap);
    try {
      await this.#send(manifest, missing);
    } catch (error) {
      if (!(error instanceof FleetError) || error.code !== 'BLOB_NOT_FOUND') throw error;
      return this.#giveBack(manifest);
    }
    return this.#forward(manifest);
  }

  async #send(manifest: ReceivedManifest, chunks: readonly Digest[]): Promise<void> {
    const { centre, staging } = this.#parts;
    for (let start = 0; start < chunks.length; start += CHUNKS_IN_FLIGHT) {
      const group = chunks.slice(start, start + CHUNKS_IN_FLIGHT);
      await Promise.all(
        group.map(async (digest) => centre.sendChunk(manifest, digest, await staging.read(manifest.vehicleId, digest))),
      );
    }
  }

  /** The outcome is on disk before the copy goes, and the vehicle is told at once; one that does not listen asks again. */
  async #settle(manifest: ReceivedManifest, receipt: Receipt): Promise<void> {
    const { outcomes, tell, logger } = this.#parts;
    await outcomes.record(manifest, receipt);
    tell(manifest.vehicleId, receipt);
    await this.#drop(manifest);
    const { recording, vehicleId } = manifest;
    logger.info({ recording, vehicleId, outcome: receipt.outcome.case }, 'relay.recording.settled');
  }

  /** The disk has lost a chunk. The vehicle still has its copy: it is told what is missing, and the promise is taken back. */
  async #giveBack(manifest: ReceivedManifest): Promise<void> {
    const { staging, tell, logger } = this.#parts;
    const { vehicleId, chunks, sizeBytes, chunkSizeBytes } = manifest;
    const missing = missingBitmap(await staging.sizes(vehicleId, chunks), sizeBytes, chunkSizeBytes);
    logger.error({ recording: manifest.recording, vehicleId }, 'relay.recording.damaged');
    await this.#drop(manifest);
    if (missing !== undefined) tell(vehicleId, missingReceipt(manifest, missing));
  }

  async #drop(manifest: ReceivedManifest): Promise<void> {
    const { held, room, staging } = this.#parts;
    const { digest, vehicleId, chunks } = manifest;
    await held.dropManifest(digest);
    this.#held.delete(digest);
    await staging.remove(vehicleId, room.release(vehicleId, chunks));
  }

  async #report({ refused, vehicleId, bytes }: Report): Promise<void> {
    await this.#parts.centre.reportRefusal(vehicleId, bytes);
    await this.#parts.held.dropReport(refused);
  }
}

/** Chunks whose bit is set, each once. */
function missingOf(manifest: ReceivedManifest, bitmap: Uint8Array): readonly Digest[] {
  const isMissing = (index: number): boolean => (((bitmap[index >>> 3] ?? 0) >>> (index & 7)) & 1) === 1;
  return [...new Set(manifest.chunks.filter((_, index) => isMissing(index)))];
}
