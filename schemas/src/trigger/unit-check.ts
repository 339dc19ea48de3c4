/** Compares like with like: what a condition compares, adds or subtracts has one unit, as far as units are declared. */
import { FleetError } from '../errors/fleet-error.ts';
import type { ExpressionNode } from '../expression/expression.ts';
import { pointAt } from '../expression/source-position.ts';

/** The unit of an input; undefined where none is declared (texts, bools, attributes). */
export type UnitsOfInputs = ReadonlyMap<string, string | undefined>;

/** A literal fits any unit; a product or a quotient of two inputs has one that is not known here. */
type UnitOf = { readonly kind: 'any' } | { readonly kind: 'unit'; readonly unit: string };
const ANY: UnitOf = { kind: 'any' };

/**
 * @throws FleetError CAMPAIGN_TYPE pointing at what is compared with what it cannot be compared with
 */
export function checkUnits(source: string, root: ExpressionNode, units: UnitsOfInputs): void {
  const visit = (node: ExpressionNode): UnitOf => {
    switch (node.op) {
      case 'id': {
        const unit = units.get(node.args);
        return unit === undefined ? ANY : { kind: 'unit', unit };
      }
      case '-_':
      case '!_':
        return visit(node.args);
      case '<':
      case '<=':
      case '>':
      case '>=':
      case '==':
      case '!=':
        same(node.args[1], visit(node.args[0]), visit(node.args[1]));
        return ANY;
      case '+':
      case '-':
        return same(node.args[1], visit(node.args[0]), visit(node.args[1]));
      case '*':
        return product(visit(node.args[0]), visit(node.args[1]), node.args);
      case '/':
        return quotient(visit(node.args[0]), visit(node.args[1]), node.args);
      case '&&':
      case '||':
        for (const part of node.args) visit(part);
        return ANY;
      case '?:':
        visit(node.args[0]);
        return same(node.args[2], visit(node.args[1]), visit(node.args[2]));
      case 'call': {
        const of = node.args[1].map(visit);
        return node.args[0] === 'abs' ? (of[0] ?? ANY) : ANY;
      }
      default:
        return ANY;
    }
  };
  const same = (second: ExpressionNode, left: UnitOf, right: UnitOf): UnitOf => {
    if (left.kind === 'any') return right;
    if (right.kind === 'any' || left.unit === right.unit) return left;
    const named = (unit: string): string => (unit === '' ? 'a plain number' : `"${unit}"`);
    throw new FleetError(
      'CAMPAIGN_TYPE',
      `the expression ${JSON.stringify(source)} sets ${named(left.unit)} beside ${named(right.unit)}: declare the inputs in one unit ${pointAt(source, second.start)}`,
    );
  };
  visit(root);
}

function isLiteral(node: ExpressionNode): boolean {
  return node.op === 'value' || (node.op === '-_' && isLiteral(node.args));
}

function product(left: UnitOf, right: UnitOf, [first, second]: readonly [ExpressionNode, ExpressionNode]): UnitOf {
  if (isLiteral(first)) return right;
  return isLiteral(second) ? left : ANY;
}

function quotient(left: UnitOf, right: UnitOf, [, second]: readonly [ExpressionNode, ExpressionNode]): UnitOf {
  return isLiteral(second) || (left.kind === 'any' && right.kind === 'any') ? left : ANY;
}
