/** Tells the cloud what the vehicle has: soon after each change, and every few seconds so that silence means something. */
import { FleetError, type ReportedState, subjects, type VehicleId } from '@fleetloop/schemas';
import type { AgentClock, AgentLogger, VehicleLink } from '../ports.ts';

export const REPORT_INTERVAL_MS = 5_000;
/** Changes within this time are told together, ms. */
export const REPORT_DEBOUNCE_MS = 200;

export type StateReporterOptions = {
  readonly vehicleId: VehicleId;
  readonly link: VehicleLink;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  readonly state: () => ReportedState;
};

export class StateReporter {
  readonly #options: StateReporterOptions;
  #wake: () => void = () => {};

  constructor(options: StateReporterOptions) {
    this.#options = options;
    options.link.onConnected(() => this.#wake());
  }

  /** Something in the state has changed. */
  changed(): void {
    this.#wake();
  }

  /** Reports until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      await this.report();
      const timer = new AbortController();
      await Promise.race([woken, clock.wait(REPORT_INTERVAL_MS, timer.signal)]);
      timer.abort();
      await clock.wait(REPORT_DEBOUNCE_MS, signal);
    }
  }

  /** Reports once; without a link nothing happens, since the next report tells all of it again. */
  async report(): Promise<void> {
    const { link, vehicleId, logger, state } = this.#options;
    if (!link.isConnected) return;
    try {
      await link.publish(subjects.reported(vehicleId), new TextEncoder().encode(JSON.stringify(state())));
    } catch (error) {
      const { code, message } = FleetError.from(error);
      logger.warn({ code, message }, 'assign.report.failed');
    }
  }
}
