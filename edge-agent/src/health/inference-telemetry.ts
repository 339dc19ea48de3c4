/** Sends inferences to the cloud in batches, from memory: they are telemetry, and the oldest may be lost when the link is down for long. */
import { create, toBinary } from '@bufbuild/protobuf';
import { FleetError, subjects, type VehicleId } from '@fleetloop/schemas';
import { type InferenceBatch, InferenceBatchSchema } from '@fleetloop/schemas/wire';
import type { AgentClock, AgentLogger, InferenceResult, VehicleLink } from '../ports.ts';

export const BATCH_INFERENCES_MAX = 64;
export const BATCH_AGE_MS_MAX = 1_000;
/** Batches kept while the link is down. */
export const BATCHES_WAITING_MAX = 256;
const RETRY_WAIT_MS = 1_000;

export type InferenceTelemetryOptions = {
  readonly vehicleId: VehicleId;
  readonly hardwareRevision: string;
  readonly link: VehicleLink;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
};

type OpenBatch = {
  readonly key: string;
  readonly bornMs: number;
  readonly first: InferenceResult;
  readonly inferences: InferenceResult['inference'][];
};

export class InferenceTelemetry {
  readonly #options: InferenceTelemetryOptions;
  readonly #waiting: InferenceBatch[] = [];
  readonly #open = new Map<string, OpenBatch>();
  #deadlineMisses = 0;
  #dropped = 0;

  constructor(options: InferenceTelemetryOptions) {
    this.#options = options;
  }

  /** Inferences that were dropped because the link was down for too long. */
  get dropped(): number {
    return this.#dropped;
  }

  add(result: InferenceResult, deadlineMisses: number): void {
    this.#deadlineMisses = deadlineMisses;
    const key = JSON.stringify([result.bundle, result.model, result.variant, result.directorCounter]);
    const open = this.#open.get(key) ?? {
      key,
      bornMs: this.#options.clock.monotonicMs(),
      first: result,
      inferences: [],
    };
    open.inferences.push(result.inference);
    this.#open.set(key, open);
    if (open.inferences.length >= BATCH_INFERENCES_MAX) this.#close(open);
  }

  /** Sends until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, link } = this.#options;
    while (!signal.aborted) {
      this.#closeOld();
      const isSent = link.isConnected && (await this.#sendWaiting());
      await clock.wait(isSent ? BATCH_AGE_MS_MAX / 4 : RETRY_WAIT_MS, signal);
    }
  }

  /** Closes and sends what there is, once. */
  async flush(): Promise<void> {
    for (const open of this.#open.values()) this.#close(open);
    if (this.#options.link.isConnected) await this.#sendWaiting();
  }

  #closeOld(): void {
    const beforeMs = this.#options.clock.monotonicMs() - BATCH_AGE_MS_MAX;
    for (const open of this.#open.values()) if (open.bornMs <= beforeMs) this.#close(open);
  }

  #close(open: OpenBatch): void {
    this.#open.delete(open.key);
    const { vehicleId, hardwareRevision, clock } = this.#options;
    const { bundle, model, variant, directorCounter } = open.first;
    this.#waiting.push(
      create(InferenceBatchSchema, {
        vehicleId,
        bundle,
        model,
        variant,
        directorCounter,
        inferences: open.inferences,
        sentAtMs: BigInt(clock.nowMs()),
        deadlineMisses: BigInt(this.#deadlineMisses),
        hardwareRevision,
      }),
    );
    while (this.#waiting.length > BATCHES_WAITING_MAX) this.#dropped += this.#waiting.shift()?.inferences.length ?? 0;
  }

  /** One at a time and in order; false when the link did not take one. */
  async #sendWaiting(): Promise<boolean> {
    const { link, vehicleId, logger } = this.#options;
    for (let batch = this.#waiting[0]; batch !== undefined; batch = this.#waiting[0]) {
      try {
        await link.publish(subjects.inference(vehicleId), toBinary(InferenceBatchSchema, batch));
        if (this.#waiting[0] === batch) this.#waiting.shift();
      } catch (error) {
        const { code, message } = FleetError.from(error);
        logger.warn({ code, message }, 'health.telemetry.failed');
        return false;
      }
    }
    return true;
  }
}
