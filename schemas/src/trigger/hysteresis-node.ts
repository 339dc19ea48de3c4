/** A signal as a switch with two thresholds: noise between them changes nothing. */
import type { CampaignInput } from '../campaign/campaign-inputs.ts';
import { NumberOperand } from './operand.ts';

type Declared = Extract<CampaignInput, { kind: 'hysteresis' }>;

export class HysteresisNode {
  readonly kind = 'hysteresis';
  readonly operand = new NumberOperand();
  readonly declared: Declared;
  /** The switch sets when the signal has gone up to `set`, or down to it where `set` is the lower one. */
  readonly #isUpwards: boolean;

  constructor(declared: Declared) {
    this.declared = declared;
    this.#isUpwards = declared.set > declared.release;
  }

  /** A sample of the signal, in the declared unit; NaN makes the switch absent, and what comes after it begins anew. */
  take(value: number): void {
    const { operand, declared } = this;
    if (Number.isNaN(value)) operand.value = Number.NaN;
    else if (this.#isUpwards ? value >= declared.set : value <= declared.set) operand.value = 1;
    else if (this.#isUpwards ? value <= declared.release : value >= declared.release) operand.value = 0;
    else if (Number.isNaN(operand.value)) operand.value = 0;
  }

  clear(): void {
    this.operand.value = Number.NaN;
  }
}
