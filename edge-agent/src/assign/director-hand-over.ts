/** Hands director documents to the model runtime, one at a time; a newer one interrupts the installation of the one before. */
import { canonicalJson, type DsseEnvelope, FleetError, type JsonValue } from '@fleetloop/schemas';
import type { AgentLogger, ModelRuntime } from '../ports.ts';

export class DirectorHandOver {
  readonly #runtime: ModelRuntime;
  readonly #logger: AgentLogger;
  #current: string | undefined;
  #interrupt = new AbortController();
  #done: Promise<void> = Promise.resolve();

  constructor(runtime: ModelRuntime, logger: AgentLogger) {
    this.#runtime = runtime;
    this.#logger = logger;
  }

  /** Takes the envelope unless it is the one that was handed over last. */
  take(envelope: DsseEnvelope | null): void {
    const text = canonicalJson(envelope as JsonValue);
    if (text === this.#current) return;
    this.#current = text;
    this.#interrupt.abort();
    this.#interrupt = new AbortController();
    const { signal } = this.#interrupt;
    this.#done = this.#done
      .then(async () => this.#runtime.applyDirector(envelope, signal))
      .catch((error: unknown) => {
        if (signal.aborted) return;
        const { code, message } = FleetError.from(error);
        this.#logger.error({ code, message }, 'assign.director.failed');
      });
  }

  /** Interrupts what runs and waits for its end. */
  async close(): Promise<void> {
    this.#interrupt.abort();
    await this.#done;
  }
}
