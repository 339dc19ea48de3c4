/** A condition of a campaign: parsed and checked once, bound to the operands of an evaluator as often as needed. */
import { compileCondition } from '../campaign/condition.ts';
import type { Campaign } from '../campaign/campaign.ts';
import type { CompiledExpression, ExpressionValue } from '../expression/expression.ts';
import { compileTest, OUTCOME, type Test } from './compiled-test.ts';
import { type Guard, guardsOf } from './guard.ts';
import { isAbsent, type NamedOperand, type Operand, valueOf } from './operand.ts';
import { checkUnits, type UnitsOfInputs } from './unit-check.ts';

export type ConditionProgram = {
  readonly source: string;
  /** `onFailure` hears why an evaluation could not be finished though every input has a value. */
  readonly bind: (operands: readonly NamedOperand[], onFailure: (reason: string) => void) => Test;
  /** What makes it false for sure, of these operands, at least one of `needed` among them; undefined where that cannot be told. */
  readonly guards: (
    operands: readonly NamedOperand[],
    needed?: readonly { readonly operand: Operand }[],
  ) => readonly Guard[] | undefined;
};

/**
 * @throws FleetError CAMPAIGN_SYNTAX, CAMPAIGN_TYPE, CAMPAIGN_COST; the message points at the character
 */
export function compileProgram(campaign: Campaign, source: string, units: UnitsOfInputs): ConditionProgram {
  const expression = compileCondition(campaign, source);
  checkUnits(source, expression.root, units);
  return {
    source,
    bind: (operands, onFailure) => bindExpression(expression, operands, onFailure),
    guards: (usable, needed) =>
      guardsOf(
        expression.root,
        new Map(usable.map((named) => [named.name, named])),
        needed === undefined ? undefined : new Set(needed.map(({ operand }) => operand)),
      ),
  };
}

/** Compiled where the expression allows it, evaluated by cel-js where it does not. */
export function bindExpression(
  expression: CompiledExpression,
  operands: readonly NamedOperand[],
  onFailure: (reason: string) => void,
): Test {
  const byName = new Map(operands.map((named) => [named.name, named]));
  return compileTest(expression.root, byName) ?? interpretedTest(expression, operands, onFailure);
}

export function interpretedTest(
  expression: CompiledExpression,
  operands: readonly NamedOperand[],
  onFailure: (reason: string) => void,
): Test {
  return () => {
    const variables: Record<string, ExpressionValue> = {};
    for (const named of operands) {
      const value = valueOf(named);
      if (value !== undefined) variables[named.name] = value;
    }
    try {
      return expression.evaluate(variables) ? OUTCOME.true : OUTCOME.false;
    } catch (error) {
      if (operands.some(({ operand }) => isAbsent(operand))) return OUTCOME.absent;
      onFailure(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
      return OUTCOME.failed;
    }
  };
}
