/** Follows the vehicle's desired state: what was known at the last run, then live, then read again at each connection and from time to time. */
import { FleetError, subjects, type VehicleId } from '@fleetloop/schemas';
import type { AgentClock, AgentLogger, VehicleLink } from '../ports.ts';
import type { DurableFiles } from '../spool/durable-files.ts';
import { type DesiredDocument, parseDesired } from './desired-document.ts';

/** The document is the truth and deltas an optimisation: a message that was lost is made up for by this, ms. */
export const READ_INTERVAL_MS = 30_000;
const READ_TIMEOUT_MS = 5_000;
const RETRY_MS = 2_000;
const STORED_NAME = 'desired.json';

export type DesiredFollowerOptions = {
  readonly vehicleId: VehicleId;
  readonly link: VehicleLink;
  readonly files: Pick<DurableFiles, 'readText' | 'writeText'>;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  /** Called with each newer document, one at a time and in order of versions. */
  readonly onDesired: (desired: DesiredDocument) => void;
};

export class DesiredFollower {
  readonly #options: DesiredFollowerOptions;
  #version = 0;
  #wake: () => void = () => {};
  #writing: Promise<void> = Promise.resolve();

  constructor(options: DesiredFollowerOptions) {
    this.#options = options;
    options.link.subscribe(subjects.desired(options.vehicleId), (payload) => this.#take(payload, 'live'));
    options.link.onConnected(() => this.#wake());
  }

  /** Version of the newest document taken; 0 before the first. */
  get version(): number {
    return this.#version;
  }

  /** Takes what the last run knew, so that a vehicle without a link captures too. */
  async restore(): Promise<void> {
    const text = await this.#options.files.readText(STORED_NAME);
    if (text !== undefined) this.#take(new TextEncoder().encode(text), 'stored');
    await this.#writing;
  }

  /** Reads the document at each connection and every READ_INTERVAL_MS until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      const isRead = this.#options.link.isConnected && (await this.#read());
      const timer = new AbortController();
      await Promise.race([woken, this.#options.clock.wait(isRead ? READ_INTERVAL_MS : RETRY_MS, timer.signal)]);
      timer.abort();
    }
    await this.#writing;
  }

  async #read(): Promise<boolean> {
    const { link, vehicleId, logger } = this.#options;
    try {
      const reply = await link.request(subjects.desiredGet(vehicleId), new Uint8Array(0), READ_TIMEOUT_MS);
      // 404: nothing is desired of this vehicle yet.
      if (reply.headers['Status'] === undefined) this.#take(reply.payload, 'read');
      return true;
    } catch (error) {
      const { code, message } = FleetError.from(error);
      logger.debug({ code, message }, 'assign.desired.unreadable');
      return false;
    }
  }

  #take(payload: Uint8Array, from: 'stored' | 'live' | 'read'): void {
    const { vehicleId, logger, onDesired } = this.#options;
    // A deleted key arrives as an empty message; what was desired last stays in force.
    if (payload.length === 0) return;
    const text = new TextDecoder().decode(payload);
    try {
      const desired = parseDesired(text, vehicleId);
      if (desired.version <= this.#version) return;
      this.#version = desired.version;
      if (from !== 'stored') this.#store(text);
      logger.info(
        { version: desired.version, campaigns: desired.campaigns.length, refused: desired.refused.length, from },
        'assign.desired.taken',
      );
      onDesired(desired);
    } catch (error) {
      const { code, message } = FleetError.from(error);
      logger.error({ code, message, from }, 'assign.desired.refused');
    }
  }

  #store(text: string): void {
    this.#writing = this.#writing
      .then(async () => this.#options.files.writeText(STORED_NAME, text))
      .catch((error: unknown) =>
        this.#options.logger.error({ reason: FleetError.from(error).message }, 'assign.desired.unstored'),
      );
  }
}
