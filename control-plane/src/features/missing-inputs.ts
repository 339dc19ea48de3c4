/** Why: a recording without a signal that a set needs is refused by both engines alike; no window at all would look like a short drive. */
import { type FeatureSet, FleetError, type SignalChannel, type SourceMessage } from '@fleetloop/schemas';
import { bindChannel } from '@fleetloop/schemas/features';

/**
 * Refuses a recording by what it fed.
 * @throws FleetError FEATURE_INPUT_MISSING when a signal of the set occurs nowhere in it
 */
export function refuseMissingInputs(featureSet: FeatureSet, isFed: (index: number) => boolean): void {
  const missing = featureSet.signals.filter((signal, index) => !isFed(index) && signal.fill?.kind !== 'constant');
  if (missing.length === 0) return;
  throw new FleetError(
    'FEATURE_INPUT_MISSING',
    `the recording has no ${missing.map((signal) => signal.path).join(', ')}, which ${featureSet.name} needs: leave it out of the selection`,
  );
}

/** Which signals of a set a stream has fed so far. */
export class InputWatch {
  readonly #featureSet: FeatureSet;
  readonly #seen = new Set<SignalChannel>();
  readonly #fed = new Set<number>();

  constructor(featureSet: FeatureSet) {
    this.#featureSet = featureSet;
  }

  see(message: SourceMessage): void {
    if (message.kind !== 'signal' || this.#seen.has(message.channel)) return;
    this.#seen.add(message.channel);
    for (const { series } of bindChannel(this.#featureSet, message.channel)?.series ?? []) this.#fed.add(series);
  }

  /** @throws FleetError FEATURE_INPUT_MISSING */
  refuseMissing(): void {
    refuseMissingInputs(this.#featureSet, (index) => this.#fed.has(index));
  }
}
