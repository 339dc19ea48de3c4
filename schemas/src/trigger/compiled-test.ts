/**
 * A checked expression made into closures over operands, for the part of CEL that conditions are made of: comparisons of doubles, equality
 * of strings, bools, `! && || ?:`, arithmetic of doubles, abs. The rest is left to cel-js, with which this must agree.
 */
import type { ExpressionNode } from '../expression/expression.ts';
import {
  absoluteOf,
  type Compare,
  comparedWithConstant,
  type ConstantComparison,
  numberLiteral,
  numberOperand,
  type Pair,
} from './constant-comparison.ts';
import { type NamedOperand, NumberOperand, TextOperand } from './operand.ts';

/** What an evaluation comes to. Plain numbers: they are compared millions of times a second. */
export const OUTCOME = { false: 0, true: 1, absent: 2, failed: 3 } as const;
export type Outcome = (typeof OUTCOME)[keyof typeof OUTCOME];
export type Test = () => Outcome;

type Reader = () => number;
type Operands = ReadonlyMap<string, NamedOperand>;

/** Gives undefined for an expression outside the part that is compiled. */
export function compileTest(node: ExpressionNode, operands: Operands): Test | undefined {
  switch (node.op) {
    case 'value':
      return typeof node.args === 'boolean' ? constant(node.args ? OUTCOME.true : OUTCOME.false) : undefined;
    case 'id':
      return boolOf(operands.get(node.args));
    case '!_':
      return negated(compileTest(node.args, operands));
    case '&&':
    case '||':
      return logical(node.op === '&&', compileTest(node.args[0], operands), compileTest(node.args[1], operands));
    case '?:':
      return ternary(node.args.map((part) => compileTest(part, operands)));
    case '<':
    case '<=':
    case '>':
    case '>=':
      return numberComparison(node.op, node.args, operands);
    case '==':
    case '!=':
      return textComparison(node.op, node.args, operands) ?? numberComparison(node.op, node.args, operands);
    default:
      return undefined;
  }
}

const constant =
  (outcome: Outcome): Test =>
  () =>
    outcome;

function boolOf(named: NamedOperand | undefined): Test | undefined {
  if (named?.type !== 'bool' || !(named.operand instanceof NumberOperand)) return undefined;
  const { operand } = named;
  return () => (operand.value === 1 ? OUTCOME.true : operand.value === 0 ? OUTCOME.false : OUTCOME.absent);
}

function negated(inner: Test | undefined): Test | undefined {
  if (inner === undefined) return undefined;
  return () => {
    const outcome = inner();
    return outcome === OUTCOME.true ? OUTCOME.false : outcome === OUTCOME.false ? OUTCOME.true : outcome;
  };
}

/** CEL's `&&` and `||`: one side that decides is enough, even when the other has no value. */
function logical(isAnd: boolean, left: Test | undefined, right: Test | undefined): Test | undefined {
  if (left === undefined || right === undefined) return undefined;
  const decides = isAnd ? OUTCOME.false : OUTCOME.true;
  return () => {
    const first = left();
    if (first === decides) return decides;
    const second = right();
    return second === decides || first <= OUTCOME.true ? second : first;
  };
}

function ternary([condition, left, right]: readonly (Test | undefined)[]): Test | undefined {
  if (condition === undefined || left === undefined || right === undefined) return undefined;
  return () => {
    const outcome = condition();
    return outcome === OUTCOME.true ? left() : outcome === OUTCOME.false ? right() : outcome;
  };
}

function textComparison(op: '==' | '!=', [left, right]: Pair, operands: Operands): Test | undefined {
  const first = textOf(left, operands);
  const second = textOf(right, operands);
  if (first === undefined || second === undefined) return undefined;
  const isEqualWanted = op === '==';
  return () => {
    if (first.text === undefined || second.text === undefined) return OUTCOME.absent;
    return (first.text === second.text) === isEqualWanted ? OUTCOME.true : OUTCOME.false;
  };
}

function textOf(node: ExpressionNode, operands: Operands): TextOperand | undefined {
  if (node.op === 'value' && typeof node.args === 'string')
    return Object.assign(new TextOperand(), { text: node.args });
  const operand = node.op === 'id' ? operands.get(node.args)?.operand : undefined;
  return operand instanceof TextOperand ? operand : undefined;
}

function numberComparison(op: Compare, [left, right]: Pair, operands: Operands): Test | undefined {
  const simple = comparedWithConstant(op, [left, right], operands);
  if (simple !== undefined) return againstConstant(simple);
  const [leftConstant, rightConstant] = [numberLiteral(left), numberLiteral(right)];
  const needed: NumberOperand[] = [];
  const first = leftConstant === undefined ? arithmetic(left, operands, needed) : () => leftConstant;
  const second = rightConstant === undefined ? arithmetic(right, operands, needed) : () => rightConstant;
  if (first === undefined || second === undefined) return undefined;
  const compare = comparisonOf(op);
  return () => {
    for (const operand of needed) if (Number.isNaN(operand.value)) return OUTCOME.absent;
    return compare(first(), second()) ? OUTCOME.true : OUTCOME.false;
  };
}

/** One closure per operator and form, each written out: a shared one would have to call another. No comparison with NaN is true. */
function againstConstant(comparison: ConstantComparison): Test {
  const { op, operand, isAbsolute, bound } = comparison;
  if (op === '==' || op === '!=') return equalToConstant(comparison);
  if (isAbsolute) {
    switch (op) {
      case '<':
        return () =>
          Math.abs(operand.value) < bound ? OUTCOME.true : Number.isNaN(operand.value) ? OUTCOME.absent : OUTCOME.false;
      case '<=':
        return () =>
          Math.abs(operand.value) <= bound
            ? OUTCOME.true
            : Number.isNaN(operand.value)
              ? OUTCOME.absent
              : OUTCOME.false;
      case '>':
        return () =>
          Math.abs(operand.value) > bound ? OUTCOME.true : Number.isNaN(operand.value) ? OUTCOME.absent : OUTCOME.false;
      case '>=':
        return () =>
          Math.abs(operand.value) >= bound
            ? OUTCOME.true
            : Number.isNaN(operand.value)
              ? OUTCOME.absent
              : OUTCOME.false;
    }
  }
  switch (op) {
    case '<':
      return () =>
        operand.value < bound ? OUTCOME.true : Number.isNaN(operand.value) ? OUTCOME.absent : OUTCOME.false;
    case '<=':
      return () =>
        operand.value <= bound ? OUTCOME.true : Number.isNaN(operand.value) ? OUTCOME.absent : OUTCOME.false;
    case '>':
      return () =>
        operand.value > bound ? OUTCOME.true : Number.isNaN(operand.value) ? OUTCOME.absent : OUTCOME.false;
    case '>=':
      return () =>
        operand.value >= bound ? OUTCOME.true : Number.isNaN(operand.value) ? OUTCOME.absent : OUTCOME.false;
  }
}

/** NaN differs from everything, so absence is asked first. */
function equalToConstant({ op, operand, isAbsolute, bound }: ConstantComparison): Test {
  const isEqualWanted = op === '==';
  return () => {
    const value = isAbsolute ? Math.abs(operand.value) : operand.value;
    if (Number.isNaN(value)) return OUTCOME.absent;
    return (value === bound) === isEqualWanted ? OUTCOME.true : OUTCOME.false;
  };
}

function comparisonOf(op: Compare): (left: number, right: number) => boolean {
  switch (op) {
    case '<':
      return (left, right) => left < right;
    case '<=':
      return (left, right) => left <= right;
    case '>':
      return (left, right) => left > right;
    case '>=':
      return (left, right) => left >= right;
    case '==':
      return (left, right) => left === right;
    case '!=':
      return (left, right) => left !== right;
  }
}

/** Arithmetic of doubles; integers have CEL's own overflow and division and are left to cel-js. */
function arithmetic(node: ExpressionNode, operands: Operands, needed: NumberOperand[]): Reader | undefined {
  if (node.op === 'value') {
    const { args } = node;
    return typeof args === 'number' ? () => args : undefined;
  }
  if (node.op === 'id') {
    const operand = numberOperand(operands.get(node.args));
    if (operand === undefined) return undefined;
    needed.push(operand);
    return () => operand.value;
  }
  if (node.op === '-_') {
    const inner = arithmetic(node.args, operands, needed);
    return inner === undefined ? undefined : () => -inner();
  }
  const argument = absoluteOf(node);
  if (argument !== undefined) {
    const inner = arithmetic(argument, operands, needed);
    return inner === undefined ? undefined : () => Math.abs(inner());
  }
  if (node.op !== '+' && node.op !== '-' && node.op !== '*' && node.op !== '/') return undefined;
  const left = arithmetic(node.args[0], operands, needed);
  const right = arithmetic(node.args[1], operands, needed);
  if (left === undefined || right === undefined) return undefined;
  switch (node.op) {
    case '+':
      return () => left() + right();
    case '-':
      return () => left() - right();
    case '*':
      return () => left() * right();
    case '/':
      return () => left() / right();
  }
}
