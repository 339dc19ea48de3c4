/** One input of one or more campaigns: its current value and what it remembers. Shared by all inputs that are defined alike. */
import type { CampaignInput } from '../campaign/campaign-inputs.ts';
import { assertNever } from '../errors/fleet-error.ts';
import type { CompiledInput } from './compile-campaign.ts';
import { type Area, makeArea } from './geofence.ts';
import { HysteresisNode } from './hysteresis-node.ts';
import { makeWindow } from './make-window.ts';
import { NumberOperand, TextOperand } from './operand.ts';
import type { SampleLog, SampleTaker } from './sample-log.ts';
import type { SlidingWindow } from './sliding-window.ts';

export const NS_PER_MS = 1e6;

type Declared<Kind extends CampaignInput['kind']> = Extract<CampaignInput, { kind: Kind }>;

/** The plain form of an inference; the wire message fits. */
export type InferenceLike = {
  /** 1 is active, 2 is shadow, as on the wire. */
  readonly role: number;
  readonly output: string;
  readonly confidence: number;
  readonly distance: number;
  /** End of the feature window, ns on the session's clock: two inferences with one end are of one window. */
  readonly windowEndNs: bigint;
};
export const ROLES = { active: 1, shadow: 2 } as const;

export class SignalNode {
  readonly kind = 'signal';
  readonly operand = new NumberOperand();
  readonly declared: Declared<'signal'>;

  constructor(declared: Declared<'signal'>) {
    this.declared = declared;
  }

  clear(): void {
    this.operand.value = Number.NaN;
  }
}

/** Lazy: what came is taken up, and what left is dropped, when a condition asks. Its value is the same as if both had been done at once. */
export class WindowNode implements SampleTaker {
  readonly kind = 'window';
  readonly operand = new NumberOperand();
  readonly declared: Declared<'window'>;
  readonly window: SlidingWindow;
  taken = 0;
  /** Where its samples wait; shared by all windows over one path in one unit. */
  log: SampleLog | undefined;
  /** A rate says nothing before the session is as old as its window. */
  readonly #silentUntilNs: number;
  readonly #isRate: boolean;
  /** A sample was taken up that is not in the value yet. */
  #isUnread = false;
  /** Time of the newest sample taken up, in whatever order they came. Only a rate asks for it. */
  #newestNs = 0;

  constructor(declared: Declared<'window'>) {
    this.declared = declared;
    this.window = makeWindow(declared);
    this.#isRate = declared.statistic === 'rate';
    this.#silentUntilNs = declared.windowMs * NS_PER_MS;
    this.clear();
  }

  join(log: SampleLog): void {
    this.log = log;
    log.attach(this);
  }

  takeUp(log: SampleLog): void {
    this.window.pushRun(log.timesNs, log.values, this.taken, log.count);
    if (this.#isRate) {
      for (let at = this.taken; at < log.count; at += 1)
        if ((log.timesNs[at] as number) > this.#newestNs) this.#newestNs = log.timesNs[at] as number;
    }
    this.taken = log.count;
    this.#isUnread = true;
  }

  /** Brings the value to the time that lies in `clock`: handed over as a number it would be allocated. */
  refresh(clock: Float64Array): void {
    const { log, window } = this;
    if (log !== undefined && this.taken < log.count) this.takeUp(log);
    const isYoung = this.#isRate && this.#newestNs < this.#silentUntilNs;
    if (!window.expireAt(clock) && !this.#isUnread && !isYoung) return;
    this.#isUnread = false;
    if (isYoung && (clock[0] as number) < this.#silentUntilNs) this.operand.value = Number.NaN;
    else window.readInto(this.operand.cells, this.operand.place);
  }

  clear(): void {
    this.window.clear();
    this.#newestNs = 0;
    this.#isUnread = false;
    if (this.#isRate) this.operand.value = Number.NaN;
    else this.window.readInto(this.operand.cells, this.operand.place);
  }
}

export class StalenessNode {
  readonly kind = 'staleness';
  readonly operand = new NumberOperand();
  readonly declared: Declared<'staleness'>;
  /** Session-relative; the session's start until there is a message. */
  seenNs = 0;

  constructor(declared: Declared<'staleness'>) {
    this.declared = declared;
  }

  refresh(nowNs: number): void {
    this.operand.value = (nowNs - this.seenNs) / NS_PER_MS;
  }

  clear(): void {
    this.seenNs = 0;
    this.operand.value = Number.NaN;
  }
}

export class GeofenceNode {
  readonly kind = 'geofence';
  readonly operand = new NumberOperand();
  readonly declared: Declared<'geofence'>;
  readonly #area: Area;
  latitude = Number.NaN;
  longitude = Number.NaN;

  constructor(declared: Declared<'geofence'>) {
    this.declared = declared;
    this.#area = makeArea(declared);
  }

  decide(): void {
    const { latitude, longitude } = this;
    if (Number.isNaN(latitude) || Number.isNaN(longitude)) this.operand.value = Number.NaN;
    else this.operand.value = this.#area(latitude, longitude) ? 1 : 0;
  }

  clear(): void {
    this.latitude = Number.NaN;
    this.longitude = Number.NaN;
    this.operand.value = Number.NaN;
  }
}

export class ModelNode {
  readonly kind = 'model';
  readonly operand: NumberOperand | TextOperand;
  readonly declared: Declared<'model'>;

  constructor(declared: Declared<'model'>) {
    this.declared = declared;
    this.operand = declared.field === 'output' ? new TextOperand() : new NumberOperand();
  }

  /** Whether the inference was of this node's role. */
  take(inference: InferenceLike): boolean {
    const { field, role } = this.declared;
    if (inference.role !== ROLES[role]) return false;
    if (this.operand instanceof TextOperand) this.operand.text = inference.output;
    else this.operand.value = field === 'confidence' ? inference.confidence : inference.distance;
    return true;
  }

  clear(): void {
    if (this.operand instanceof TextOperand) this.operand.text = undefined;
    else this.operand.value = Number.NaN;
  }
}

export class DisagreementNode {
  readonly kind = 'disagreement';
  readonly operand = new NumberOperand();
  #active: InferenceLike | undefined;
  #shadow: InferenceLike | undefined;

  /** Whether both models have now answered for one window. */
  take(inference: InferenceLike): boolean {
    if (inference.role === ROLES.active) this.#active = inference;
    else if (inference.role === ROLES.shadow) this.#shadow = inference;
    else return false;
    if (this.#active === undefined || this.#active.windowEndNs !== this.#shadow?.windowEndNs) return false;
    this.operand.value = this.#active.output === this.#shadow.output ? 0 : 1;
    return true;
  }

  clear(): void {
    this.#active = undefined;
    this.#shadow = undefined;
    this.operand.value = Number.NaN;
  }
}

/** Fixed for the life of the campaign. */
export class AttributeNode {
  readonly kind = 'attribute';
  readonly operand: NumberOperand | TextOperand;

  constructor(type: 'string' | 'number', fixed: string | number | undefined) {
    this.operand =
      type === 'string'
        ? Object.assign(new TextOperand(), { text: typeof fixed === 'string' ? fixed : undefined })
        : Object.assign(new NumberOperand(), { value: typeof fixed === 'number' ? fixed : Number.NaN });
  }

  clear(): void {
    // The value belongs to the vehicle, not to the session.
  }
}

export type InputNode =
  | SignalNode
  | WindowNode
  | StalenessNode
  | GeofenceNode
  | HysteresisNode
  | ModelNode
  | DisagreementNode
  | AttributeNode;

export function makeNode({ declared, fixed }: CompiledInput): InputNode {
  switch (declared.kind) {
    case 'signal':
      return new SignalNode(declared);
    case 'window':
      return new WindowNode(declared);
    case 'staleness':
      return new StalenessNode(declared);
    case 'geofence':
      return new GeofenceNode(declared);
    case 'hysteresis':
      return new HysteresisNode(declared);
    case 'model':
      return new ModelNode(declared);
    case 'disagreement':
      return new DisagreementNode();
    case 'attribute':
      return new AttributeNode(declared.type, fixed);
    default:
      return assertNever(declared);
  }
}
