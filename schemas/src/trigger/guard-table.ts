/**
 * The guards of some campaigns in flat arrays: most evaluations come to nothing, and end here. Data that one short loop compares, and not
 * generated code: it is as fast without the larger compiler, and an agent that may not make code from strings loses nothing.
 */
import type { CampaignState } from './campaign-state.ts';
import { OUTCOME } from './compiled-test.ts';
import { CELLS_STRIDE, EVALUATIONS, IDLE_UNTIL, LAST, LAST_OUTCOME } from './evaluation-cells.ts';
import type { Guard } from './guard.ts';
import { type InputNode, WindowNode } from './input-node.ts';
import { NumberOperand } from './operand.ts';

/** Where operands and the cells of campaigns lie. */
export type Memory = { readonly operands: Float64Array; readonly campaigns: Float64Array };

/** Moves them together: what a message needs lies side by side. */
export function layOut(states: readonly CampaignState[], nodes: Iterable<InputNode>): Memory {
  const operands = Array.from(nodes, (node) => node.operand).filter((operand) => operand instanceof NumberOperand);
  const memory = {
    operands: new Float64Array(operands.length),
    campaigns: new Float64Array(states.length * CELLS_STRIDE),
  };
  for (const [index, operand] of operands.entries()) operand.moveTo(memory.operands, index);
  for (const [index, { cells }] of states.entries()) cells.moveTo(memory.campaigns, index * CELLS_STRIDE);
  return memory;
}

const BOUNDS_STRIDE = 2;
/** A guard's operand, and its flags. */
const GUARD_STRIDE = 2;
const IS_FALSE_INSIDE = 1;
const IS_ABSOLUTE = 2;
/**
 * A campaign's cells, the end of its guards and the end of those that read windows, which follow; its guards begin where those of the one
 * before end.
 */
const ROW_STRIDE = 3;

export class GuardTable {
  readonly states: readonly CampaignState[];
  readonly #memory: Memory;
  readonly #rows: Int32Array;
  readonly #guards: Int32Array;
  readonly #bounds: Float64Array;
  /** By guard: the window that must be brought to the present before it. */
  readonly #windows: readonly (WindowNode | undefined)[];
  /** The time of the evaluation. */
  readonly #clock = new Float64Array(1);

  /** The operands and the campaigns must lie in the memory already. */
  constructor(states: readonly CampaignState[], memory: Memory) {
    this.states = states;
    this.#memory = memory;
    let end = 0;
    this.#rows = Int32Array.from(
      states.flatMap(({ cells, guards = [], windowGuards = [] }) => [
        cells.place,
        (end += guards.length),
        (end += windowGuards.length),
      ]),
    );
    const guards = states.flatMap((state) => [...(state.guards ?? []), ...(state.windowGuards ?? [])]);
    this.#guards = Int32Array.from(guards.flatMap((guard) => [guard.operand.place, flagsOf(guard)]));
    this.#bounds = Float64Array.from(guards.flatMap(({ low, high }) => [low, high]));
    const nodes = new Map(states.flatMap((state) => state.nodes.map((node) => [node.operand, node] as const)));
    this.#windows = guards.map(({ operand }) => {
      const node = nodes.get(operand);
      return node instanceof WindowNode ? node : undefined;
    });
  }

  /**
   * The first row from `from` on that must be evaluated at `nowNs`, or the number of rows. Those before it are evaluated: their conditions
   * are false, and they were idle.
   */
  next(from: number, nowNs: number): number {
    const { operands, campaigns } = this.#memory;
    const rows = this.#rows;
    const guards = this.#guards;
    const bounds = this.#bounds;
    const count = this.states.length;
    this.#clock[0] = nowNs;
    let begin = from === 0 ? 0 : (rows[from * ROW_STRIDE - 1] as number);
    for (let row = from; row < count; row += 1) {
      const place = rows[row * ROW_STRIDE] as number;
      if (!(nowNs < (campaigns[place + IDLE_UNTIL] as number))) return row;
      const middle = rows[row * ROW_STRIDE + 1] as number;
      const end = rows[row * ROW_STRIDE + 2] as number;
      let areFalse = begin < middle;
      for (let guard = begin; areFalse && guard < middle; guard += 1) {
        const flags = guards[guard * GUARD_STRIDE + 1] as number;
        const plain = operands[guards[guard * GUARD_STRIDE] as number] as number;
        const value = (flags & IS_ABSOLUTE) === 0 ? plain : Math.abs(plain);
        const low = bounds[guard * BOUNDS_STRIDE] as number;
        const high = bounds[guard * BOUNDS_STRIDE + 1] as number;
        // Of NaN no comparison is true: without a value a guard decides nothing.
        areFalse = (flags & IS_FALSE_INSIDE) === 0 ? value < low || value > high : value >= low && value <= high;
      }
      if (!areFalse && !this.#areFalseNow(middle, end)) return row;
      campaigns[place + EVALUATIONS] = (campaigns[place + EVALUATIONS] as number) + 1;
      campaigns[place + LAST] = nowNs;
      campaigns[place + LAST_OUTCOME] = OUTCOME.false;
      begin = end;
    }
    return count;
  }

  /**
   * Whether there are such guards and all of them are false, after their windows were brought to the present: each only when those before
   * it are false. Compares as the loop above does, which most messages go through and which calls nothing for it.
   */
  #areFalseNow(begin: number, end: number): boolean {
    const { operands } = this.#memory;
    for (let guard = begin; guard < end; guard += 1) {
      this.#windows[guard]?.refresh(this.#clock);
      const flags = this.#guards[guard * GUARD_STRIDE + 1] as number;
      const plain = operands[this.#guards[guard * GUARD_STRIDE] as number] as number;
      const value = (flags & IS_ABSOLUTE) === 0 ? plain : Math.abs(plain);
      const low = this.#bounds[guard * BOUNDS_STRIDE] as number;
      const high = this.#bounds[guard * BOUNDS_STRIDE + 1] as number;
      const isFalse = (flags & IS_FALSE_INSIDE) === 0 ? value < low || value > high : value >= low && value <= high;
      if (!isFalse) return false;
    }
    return begin < end;
  }
}

function flagsOf({ isAbsolute, isFalseInside }: Guard): number {
  return (isFalseInside ? IS_FALSE_INSIDE : 0) | (isAbsolute ? IS_ABSOLUTE : 0);
}
