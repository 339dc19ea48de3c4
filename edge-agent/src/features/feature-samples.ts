/**
 * Sends sampled feature inputs to the cloud: the least urgent of all that the vehicle says. They go one at a time, only where bytes
 * are cheap and no recording waits, and within a budget; what does not go is counted, and the next sample tells how much that was.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { FleetError, subjects, type VehicleId } from '@fleetloop/schemas';
import { FEATURE_ENGINE_VERSION, type WindowInputs } from '@fleetloop/schemas/features';
import { FeatureSampleSchema } from '@fleetloop/schemas/wire';
import type { AgentClock, AgentLogger, InferenceResult, VehicleLink } from '../ports.ts';
import type { Redactor } from '../record/redactor.ts';
import {
  EMPTY_LEDGER,
  isSent,
  onSent,
  onTold,
  parseSampleLedger,
  type SampleLedger,
  spend,
  type WindowName,
  withhold,
} from './sample-ledger.ts';

/** Of the message as a whole; well below what a server takes. */
export const SAMPLE_BYTES_MAX = 256 * 1024;
/** Bytes in memory until they may go. */
export const WAITING_BYTES_MAX = 4 * 1024 * 1024;
const FORMAT_VERSION = 1;
const FILE = 'feature-samples.json';
const WAIT_MS = 1_000;

export type FeatureSamplesOptions = {
  readonly vehicleId: VehicleId;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  readonly bytesPerHour: number;
  readonly link: VehicleLink;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  readonly files: {
    readText(name: string): Promise<string | undefined>;
    writeText(name: string, text: string): Promise<void>;
  };
  /** Whether nothing of more worth waits for the link, and bytes are cheap. */
  readonly mayGo: () => boolean;
  /** What may not leave the vehicle, or only changed; without one everything may. */
  readonly redactor?: Pick<Redactor, 'covers' | 'attributes'>;
};

type Waiting = { readonly window: WindowName; readonly bytes: Uint8Array };

export class FeatureSamples {
  readonly #options: FeatureSamplesOptions;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #ledger: SampleLedger = EMPTY_LEDGER;
  /** What is on disk. */
  #kept: SampleLedger = EMPTY_LEDGER;
  /** Of the newest sample: the active and the shadow model may have the same one. */
  #newest: WindowName | undefined;

  constructor(options: FeatureSamplesOptions) {
    this.#options = options;
  }

  /** Takes up what the last run has written. */
  async restore(): Promise<void> {
    this.#ledger = parseSampleLedger(await this.#options.files.readText(FILE));
    this.#kept = this.#ledger;
  }

  /** Takes the inputs of an inference, where it has any; `attributes` are those of the session. */
  add(result: InferenceResult, attributes: Readonly<Record<string, string>>): void {
    const { sampled, inference } = result;
    if (sampled === undefined) return;
    const { session, windowEndNs } = inference;
    const window = { session, windowEndNs, featureSet: sampled.featureSet };
    if (this.#isKnown(window)) return;
    this.#newest = window;
    if (sampled.paths.some((path) => this.#options.redactor?.covers(path))) return this.#withhold('redacted');
    const inputs = sampled.inputs();
    if (inputs.kind !== 'taken') return this.#withhold(inputs.kind === 'too_large' ? 'tooLarge' : 'notComparable');
    const { firmware = '' } = this.#options.redactor?.attributes(attributes) ?? attributes;
    const bytes = toBinary(FeatureSampleSchema, this.#toSample(result, inputs, firmware));
    if (bytes.length > SAMPLE_BYTES_MAX) return this.#withhold('tooLarge');
    const { clock, bytesPerHour } = this.#options;
    const paid = spend(this.#ledger, { bytes: bytes.length, nowMs: clock.nowMs(), bytesPerHour });
    if (paid === undefined) return this.#withhold('overBudget');
    this.#ledger = paid;
    this.#waiting.push({ window, bytes });
    this.#waitingBytes += bytes.length;
    while (this.#waitingBytes > WAITING_BYTES_MAX) {
      this.#drop();
      this.#withhold('unsent');
    }
  }

  /** Sends until the signal is aborted; what waits then is written down as lost. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, link, mayGo } = this.#options;
    while (!signal.aborted) {
      const [first] = this.#waiting;
      const isGone = first !== undefined && link.isConnected && mayGo() && (await this.#send(first));
      if (!isGone) await clock.wait(WAIT_MS, signal);
    }
    if (this.#waiting.length > 0) this.#ledger = withhold(this.#ledger, 'unsent', this.#waiting.splice(0).length);
    await this.#keep();
  }

  #drop(): void {
    this.#waitingBytes -= this.#waiting.shift()?.bytes.length ?? 0;
  }

  #isKnown(window: WindowName): boolean {
    const newest = this.#newest;
    const isNewest =
      newest?.session === window.session &&
      newest.featureSet === window.featureSet &&
      newest.windowEndNs === window.windowEndNs;
    return isNewest || isSent(this.#ledger, window);
  }

  #withhold(why: Parameters<typeof withhold>[1]): void {
    this.#ledger = withhold(this.#ledger, why);
  }

  #toSample(
    { inference, sampled, bundle, variant }: InferenceResult,
    { channels, messages }: Extract<WindowInputs, { readonly kind: 'taken' }>,
    firmware: string,
  ): ReturnType<typeof create<typeof FeatureSampleSchema>> {
    const { vehicleId, hardwareRevision, softwareVersion } = this.#options;
    const { sequence, session, windowStartNs, windowEndNs } = inference;
    return create(FeatureSampleSchema, {
      version: FORMAT_VERSION,
      vehicleId,
      hardwareRevision,
      softwareVersion,
      firmware,
      engine: FEATURE_ENGINE_VERSION,
      bundle,
      variant,
      featureSet: sampled?.featureSet ?? '',
      session,
      sequence,
      windowStartNs,
      windowEndNs,
      vector: inference.features,
      channels: channels.map(({ topic, signals }) => ({ topic, signals: [...signals] })),
      messageChannels: messages.map(({ channel }) => channel),
      messageOffsetsNs: messages.map(({ logTimeNs }) => logTimeNs - windowStartNs),
      messageValues: messages.flatMap(({ values }) => [...values]),
    });
  }

  /** False when the link did not take it. */
  async #send(first: Waiting): Promise<boolean> {
    const { link, vehicleId, logger } = this.#options;
    const { withheld } = this.#ledger;
    // Messages that stand one behind the other are one message: so the counts of the moment come to a sample that was made before.
    const told = toBinary(FeatureSampleSchema, create(FeatureSampleSchema, { withheld }));
    try {
      await link.publish(subjects.featureSample(vehicleId), Buffer.concat([first.bytes, told]));
    } catch (error) {
      const { code, message } = FleetError.from(error);
      logger.warn({ code, message }, 'features.sample.failed');
      return false;
    }
    // It may have been given up meanwhile, and was counted as lost then: it is there twice rather than not at all.
    if (this.#waiting[0] === first) this.#drop();
    this.#ledger = onTold(onSent(this.#ledger, first.window), withheld);
    await this.#keep();
    return true;
  }

  async #keep(): Promise<void> {
    if (this.#ledger === this.#kept) return;
    this.#kept = this.#ledger;
    await this.#options.files.writeText(FILE, JSON.stringify(this.#ledger)).catch((error: unknown) => {
      this.#options.logger.warn({ reason: FleetError.from(error).message }, 'features.samples.not-kept');
    });
  }
}
