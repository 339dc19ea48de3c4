/** Where one campaign stands: holding, released, cooling down, quiet. Decides at each evaluation whether it fires. */
import type { CompiledCampaign } from './compile-campaign.ts';
import { OUTCOME, type Outcome, type Test } from './compiled-test.ts';
import { EvaluationCells } from './evaluation-cells.ts';
import type { Guard } from './guard.ts';
import { type InputNode, NS_PER_MS, StalenessNode, WindowNode } from './input-node.ts';
import type { NamedOperand } from './operand.ts';

/** Different reasons of failed evaluations that are kept per campaign; the count goes on. */
export const EVALUATION_REASONS_MAX = 8;

/** Why somebody keeps a campaign from firing from outside. */
export type Hold = { readonly by: 'operator' | 'budget'; readonly reason: string };

/** What a campaign counts, changed in place. */
export type TriggerCounts = {
  fired: number;
  /** Not fired because an input that the condition needs had no value. */
  absent: number;
  suppressedByCooldown: number;
  suppressedByBudget: number;
  failed: number;
};

const NEVER_NS = Number.NEGATIVE_INFINITY;
export const NO_TIMER_NS = Number.POSITIVE_INFINITY;

/** Changed in place: evaluation runs for every message. Times are session-relative ns. */
export class CampaignState {
  compiled: CompiledCampaign;
  readonly nodes: readonly InputNode[];
  readonly operands: readonly NamedOperand[];
  readonly counts: TriggerCounts = {
    fired: 0,
    absent: 0,
    suppressedByCooldown: 0,
    suppressedByBudget: 0,
    failed: 0,
  };
  readonly failureReasons = new Set<string>();
  /** Set from outside while the campaign is over its budget. */
  hold: Hold | undefined = undefined;
  /** When the condition will have held for long enough, if nothing comes. */
  dueNs = NO_TIMER_NS;
  /** A suspended campaign never starts. */
  startsNs = NEVER_NS;
  expiresNs = NO_TIMER_NS;
  sinceNs = Number.NaN;
  /** The condition has held for long enough and is not released. */
  isHolding = false;
  quietUntilNs = NEVER_NS;
  /** What every evaluation changes, those included that guards decide without coming here. */
  readonly cells = new EvaluationCells();
  lastFiredNs = Number.NaN;
  /** Whether time alone can change its condition. */
  readonly isTimed: boolean;
  /** What rules the condition out before its windows are read; undefined where nothing does. */
  readonly guards: readonly Guard[] | undefined;
  /** What does so after some of its windows were read. */
  readonly windowGuards: readonly Guard[] | undefined;
  readonly #windows: readonly WindowNode[];
  readonly #staleness: readonly StalenessNode[];
  readonly #test: Test;
  readonly #release: Test | undefined;
  readonly #forNs: number;
  readonly #cooldownNs: number;
  readonly #isRising: boolean;
  /** The time that windows are brought to. */
  readonly #clock = new Float64Array(1);

  constructor(compiled: CompiledCampaign, nodes: readonly InputNode[]) {
    const { campaign } = compiled;
    this.compiled = compiled;
    this.nodes = nodes;
    this.operands = compiled.inputs.map(({ name, type }, index) => {
      const { operand } = nodes[index] as InputNode;
      return { name, type, operand };
    });
    this.#windows = nodes.filter((node) => node instanceof WindowNode);
    this.#staleness = nodes.filter((node) => node instanceof StalenessNode);
    this.isTimed = this.#windows.length > 0 || this.#staleness.length > 0;
    const steady = this.operands.filter((_, index) => !(nodes[index] instanceof WindowNode));
    // An age is as old as the evaluation that brought it there, and explained as such: none is left out.
    const isSteady = this.#staleness.length === 0;
    this.guards = isSteady ? compiled.condition.guards(steady) : undefined;
    this.windowGuards = isSteady ? compiled.condition.guards(this.operands, this.#windows) : undefined;
    const onFailure = (reason: string): void => {
      if (this.failureReasons.size < EVALUATION_REASONS_MAX) this.failureReasons.add(reason);
    };
    this.#test = compiled.condition.bind(this.operands, onFailure);
    this.#release = compiled.release?.bind(this.operands, onFailure);
    this.#forNs = (campaign.forMs ?? 0) * NS_PER_MS;
    this.#cooldownNs = campaign.cooldownMs * NS_PER_MS;
    this.#isRising = campaign.edge === 'rising';
  }

  /**
   * Evaluates at `nowNs`; true when the campaign fires. Between samples (`isSample` false) it fires only when it begins to hold, so that
   * `level` lists samples and not the steps of a clock.
   */
  evaluate(nowNs: number, isSample: boolean): boolean {
    if (nowNs < this.startsNs || nowNs >= this.expiresNs) {
      this.#stopHolding();
      return false;
    }
    const { cells } = this;
    cells.evaluations += 1;
    if (this.isTimed) this.#refresh(nowNs);
    const wasHolding = this.isHolding;
    const isHolding = wasHolding && this.#release !== undefined ? this.#keeps(this.#release) : this.#begins(nowNs);
    cells.lastNs = nowNs;
    this.isHolding = isHolding;
    // Neither true nor holding, and started: one more evaluation that is false changes nothing but its cells.
    const isIdle =
      !wasHolding && cells.lastOutcome !== OUTCOME.true && (this.guards ?? this.windowGuards) !== undefined;
    cells.idleUntilNs = isIdle ? this.expiresNs : NEVER_NS;
    if (!isHolding || (wasHolding && (this.#isRising || !isSample))) return false;
    return this.#fire(nowNs);
  }

  /** Time goes back or the schedule changes: windows are brought to where they were asked last, and nothing is taken for granted. */
  settle(): void {
    this.cells.idleUntilNs = NEVER_NS;
    this.bringWindows();
  }

  /** Brings the windows to the last evaluation, which may have been decided without them. */
  bringWindows(): void {
    const { lastNs } = this.cells;
    if (Number.isNaN(lastNs)) return;
    this.#clock[0] = lastNs;
    for (const window of this.#windows) window.refresh(this.#clock);
  }

  /** Windows and ages are brought to the present before they are read. */
  #refresh(nowNs: number): void {
    this.#clock[0] = nowNs;
    for (let index = 0; index < this.#windows.length; index += 1) this.#windows[index]?.refresh(this.#clock);
    for (let index = 0; index < this.#staleness.length; index += 1) this.#staleness[index]?.refresh(nowNs);
  }

  startSession(): void {
    this.#stopHolding();
    this.quietUntilNs = NEVER_NS;
    this.cells.lastNs = Number.NaN;
    this.cells.lastOutcome = OUTCOME.false;
    this.lastFiredNs = Number.NaN;
  }

  /** Latched: holds until the release condition is true. */
  #keeps(release: Test): boolean {
    const outcome = this.#count(release());
    if (outcome !== OUTCOME.true) return true;
    this.#stopHolding();
    return false;
  }

  #begins(nowNs: number): boolean {
    const outcome = this.#count(this.#test());
    this.cells.lastOutcome = outcome;
    if (outcome !== OUTCOME.true) {
      this.sinceNs = Number.NaN;
      this.dueNs = NO_TIMER_NS;
      return false;
    }
    if (Number.isNaN(this.sinceNs)) this.sinceNs = nowNs;
    const dueNs = this.sinceNs + this.#forNs;
    this.dueNs = nowNs >= dueNs ? NO_TIMER_NS : dueNs;
    return nowNs >= dueNs;
  }

  #count(outcome: Outcome): Outcome {
    if (outcome === OUTCOME.absent) this.counts.absent += 1;
    else if (outcome === OUTCOME.failed) this.counts.failed += 1;
    return outcome;
  }

  #stopHolding(): void {
    this.cells.idleUntilNs = NEVER_NS;
    this.isHolding = false;
    this.sinceNs = Number.NaN;
    this.dueNs = NO_TIMER_NS;
  }

  #fire(nowNs: number): boolean {
    if (this.hold !== undefined) {
      this.counts.suppressedByBudget += 1;
      return false;
    }
    if (nowNs < this.quietUntilNs) {
      this.counts.suppressedByCooldown += 1;
      return false;
    }
    this.counts.fired += 1;
    this.lastFiredNs = nowNs;
    this.quietUntilNs = this.#cooldownNs === 0 ? NEVER_NS : nowNs + this.#cooldownNs;
    return true;
  }
}
