/** The comparison that most conditions are made of: an input, or the absolute of one, with a constant. */
import type { ExpressionNode } from '../expression/expression.ts';
import { type NamedOperand, NumberOperand } from './operand.ts';

export type Compare = '<' | '<=' | '>' | '>=' | '==' | '!=';
export type Pair = readonly [ExpressionNode, ExpressionNode];
type Operands = ReadonlyMap<string, NamedOperand>;

/** The constant stands at the right: `op` is mirrored where it stood at the left. */
export type ConstantComparison = {
  readonly op: Compare;
  readonly operand: NumberOperand;
  readonly isAbsolute: boolean;
  readonly bound: number;
};
const MIRRORED = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '==': '==', '!=': '!=' } as const;

export function comparedWithConstant(
  op: Compare,
  [left, right]: Pair,
  operands: Operands,
): ConstantComparison | undefined {
  const rightConstant = numberLiteral(right);
  if (rightConstant !== undefined) {
    const simple = simpleReader(left, operands);
    if (simple !== undefined) return { op, ...simple, bound: rightConstant };
  }
  const leftConstant = numberLiteral(left);
  if (leftConstant === undefined) return undefined;
  const simple = simpleReader(right, operands);
  return simple === undefined ? undefined : { op: MIRRORED[op], ...simple, bound: leftConstant };
}

/** A literal as the number that comparisons see; an integer beyond what a double holds exactly is none. */
export function numberLiteral(node: ExpressionNode): number | undefined {
  if (node.op === '-_') {
    const inner = numberLiteral(node.args);
    return inner === undefined ? undefined : -inner;
  }
  if (node.op !== 'value') return undefined;
  if (typeof node.args === 'number') return node.args;
  return typeof node.args === 'bigint' && Number.isSafeInteger(Number(node.args)) ? Number(node.args) : undefined;
}

export function numberOperand(named: NamedOperand | undefined): NumberOperand | undefined {
  return named?.type === 'double' && named.operand instanceof NumberOperand ? named.operand : undefined;
}

/** The argument of `abs(…)`. */
export function absoluteOf(node: ExpressionNode): ExpressionNode | undefined {
  return node.op === 'call' && node.args[0] === 'abs' ? node.args[1][0] : undefined;
}

function simpleReader(
  node: ExpressionNode,
  operands: Operands,
): Pick<ConstantComparison, 'operand' | 'isAbsolute'> | undefined {
  if (node.op === 'id') {
    const operand = numberOperand(operands.get(node.args));
    return operand === undefined ? undefined : { operand, isAbsolute: false };
  }
  const argument = absoluteOf(node);
  const inner = argument === undefined ? undefined : simpleReader(argument, operands);
  return inner === undefined ? undefined : { operand: inner.operand, isAbsolute: true };
}
