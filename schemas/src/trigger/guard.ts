/**
 * What rules a condition out before the rest of it is asked. Of `speed > 60.0 && mean > 3.0` a speed of 50 says enough: CEL's `&&` is false as
 * soon as one side is, whatever the other one is or lacks. Most conditions are false nearly always, and mostly for such a reason.
 */
import type { ExpressionNode } from '../expression/expression.ts';
import { comparedWithConstant, type Compare } from './constant-comparison.ts';
import { type NamedOperand, NumberOperand, type Operand } from './operand.ts';

type Operands = ReadonlyMap<string, NamedOperand>;

/** One comparison of a value with a constant. */
export type Guard = {
  readonly operand: NumberOperand;
  readonly isAbsolute: boolean;
  readonly low: number;
  readonly high: number;
  /** The comparison is false for a value inside [low, high]; otherwise for one outside. Without a value it is not false. */
  readonly isFalseInside: boolean;
};

/** Comparisons that make a condition false when all of them are false. */
type GuardSet = readonly Guard[];

/**
 * The fewest comparisons that make the condition false when all of them are false; undefined where there are none. Where `needed` is given,
 * at least one of them is of such an operand.
 */
export function guardsOf(node: ExpressionNode, usable: Operands, needed?: ReadonlySet<Operand>): GuardSet | undefined {
  const isNeeded = ({ operand }: Guard): boolean => needed === undefined || needed.has(operand);
  return shortest(guardSetsOf(node, usable).filter((set) => set.some(isNeeded)));
}

/** The first of the shortest. */
function shortest(sets: readonly GuardSet[]): GuardSet | undefined {
  const [first, ...others] = sets;
  return first === undefined ? undefined : others.reduce((best, set) => (set.length < best.length ? set : best), first);
}

/** Each of the sets is enough. */
function guardSetsOf(node: ExpressionNode, usable: Operands): readonly GuardSet[] {
  switch (node.op) {
    case '&&':
      return [...guardSetsOf(node.args[0], usable), ...guardSetsOf(node.args[1], usable)];
    case '||': {
      const [left, right] = [shortest(guardSetsOf(node.args[0], usable)), shortest(guardSetsOf(node.args[1], usable))];
      return left === undefined || right === undefined ? [] : [[...left, ...right]];
    }
    case 'id':
      return flagGuard(node, usable, 0);
    case '!_':
      return flagGuard(node.args, usable, 1);
    case '<':
    case '<=':
    case '>':
    case '>=':
    case '==':
    case '!=': {
      const compared = comparedWithConstant(node.op, node.args, usable);
      if (compared === undefined) return [];
      const { operand, isAbsolute, op, bound } = compared;
      return [[{ operand, isAbsolute, ...FALSE_WHERE[op](bound) }]];
    }
    default:
      return [];
  }
}

type FalseWhere = Pick<Guard, 'low' | 'high' | 'isFalseInside'>;
const END = Number.POSITIVE_INFINITY;
const inside = (low: number, high: number): FalseWhere => ({ low, high, isFalseInside: true });
const outside = (low: number, high: number): FalseWhere => ({ low, high, isFalseInside: false });
const FALSE_WHERE: Readonly<Record<Compare, (bound: number) => FalseWhere>> = {
  '<': (bound) => inside(bound, END),
  '<=': (bound) => outside(-END, bound),
  '>': (bound) => inside(-END, bound),
  '>=': (bound) => outside(bound, END),
  '==': (bound) => outside(bound, bound),
  '!=': (bound) => inside(bound, bound),
};

/** A bool input is 0 or 1; with any other value it is absent. */
function flagGuard(node: ExpressionNode, usable: Operands, falseAt: number): readonly GuardSet[] {
  const named = node.op === 'id' ? usable.get(node.args) : undefined;
  if (named?.type !== 'bool' || !(named.operand instanceof NumberOperand)) return [];
  return [[{ operand: named.operand, isAbsolute: false, ...inside(falseAt, falseAt) }]];
}
