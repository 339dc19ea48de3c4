/** What is compiled must agree with cel-js on every expression, short-circuits and absent inputs included. */
import fc from 'fast-check';
import { evenly } from '../fixtures/evenly.ts';
import { describe, expect, it } from 'vitest';
import { compileExpression } from '../expression/expression.ts';
import { compileTest, OUTCOME } from './compiled-test.ts';
import { interpretedTest } from './condition-program.ts';
import { type NamedOperand, NumberOperand, TextOperand } from './operand.ts';

const CODES = { syntax: 'CAMPAIGN_SYNTAX', type: 'CAMPAIGN_TYPE', cost: 'CAMPAIGN_COST' } as const;
const VARIABLES = { x: 'double', y: 'double', on: 'bool', off: 'bool', name: 'string', other: 'string' } as const;

const literal = fc.oneof(
  evenly(-4, 4).map((value) => value.toFixed(2)),
  fc.constantFrom('0.0', '1.0', '-1.0', '2.5'),
);
const { test } = fc.letrec<{ number: string; test: string }>((tie) => ({
  number: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('x', 'y'),
    literal,
    tie('number').map((inner) => `abs(${inner})`),
    tie('number').map((inner) => `-(${inner})`),
    fc
      .tuple(tie('number'), fc.constantFrom('+', '-', '*', '/'), tie('number'))
      .map(([a, op, b]) => `(${a} ${op} ${b})`),
  ),
  test: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('on', 'off', 'true', 'false'),
    fc
      .tuple(tie('number'), fc.constantFrom('<', '<=', '>', '>=', '==', '!='), tie('number'))
      .map(([a, op, b]) => `${a} ${op} ${b}`),
    fc
      .tuple(fc.constantFrom('x', 'abs(y)'), fc.constantFrom('<', '>='), fc.integer({ min: -3, max: 3 }))
      .map(([a, op, b]) => `${a} ${op} ${b}`),
    fc
      .tuple(fc.constantFrom('name', 'other'), fc.constantFrom('==', '!='), fc.constantFrom('"a"', '"b"', 'other'))
      .map((parts) => parts.join(' ')),
    fc.tuple(tie('test'), fc.constantFrom('&&', '||'), tie('test')).map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc.tuple(tie('test'), tie('test'), tie('test')).map(([a, b, c]) => `((${a}) ? (${b}) : (${c}))`),
    tie('test').map((inner) => `!(${inner})`),
  ),
}));

const value = fc.oneof(fc.constant(Number.NaN), evenly(-3, 3), fc.constantFrom(0, 1, -1, 2.5));
const flag = fc.constantFrom(0, 1, Number.NaN);
const text = fc.constantFrom('a', 'b', undefined);

function makeOperands(): Readonly<Record<keyof typeof VARIABLES, NamedOperand>> {
  const entries = Object.entries(VARIABLES).map(([name, type]) => [
    name,
    { name, type, operand: type === 'string' ? new TextOperand() : new NumberOperand() },
  ]);
  return Object.fromEntries(entries);
}

describe('a compiled condition', () => {
  it('agrees with cel-js on random expressions over present and absent inputs', () => {
    let compiledRuns = 0;
    let absentRuns = 0;
    fc.assert(
      fc.property(
        test,
        fc.array(fc.tuple(value, value, flag, flag, text, text), { minLength: 4, maxLength: 12 }),
        (source, rows) => {
          const expression = compileExpression(source, VARIABLES, CODES);
          const operands = makeOperands();
          const list = Object.values(operands);
          const compiled = compileTest(expression.root, new Map(list.map((named) => [named.name, named])));
          expect(compiled, source).toBeDefined();
          const interpreted = interpretedTest(expression, list, () => undefined);
          for (const [x, y, on, off, name, other] of rows) {
            Object.assign(operands.x.operand, { value: x });
            Object.assign(operands.y.operand, { value: y });
            Object.assign(operands.on.operand, { value: on });
            Object.assign(operands.off.operand, { value: off });
            Object.assign(operands.name.operand, { text: name });
            Object.assign(operands.other.operand, { text: other });
            const outcome = compiled?.();
            expect(outcome, `${source} with ${JSON.stringify([x, y, on, off, name, other])}`).toBe(interpreted());
            compiledRuns += 1;
            if (outcome === OUTCOME.absent) absentRuns += 1;
          }
        },
      ),
      { numRuns: 400 },
    );
    expect(compiledRuns).toBeGreaterThan(1_000);
    expect(absentRuns).toBeGreaterThan(50);
  });

  it.each([
    'name.startsWith("a")',
    'name in ["a", "b"]',
    '1 + 1 > 1',
    'x > 9007199254740993',
    '[x, y].exists(v, v > 1.0)',
  ])('leaves %s to cel-js', (source) => {
    const { root } = compileExpression(source, VARIABLES, CODES);
    const operands = Object.values(makeOperands());
    expect(compileTest(root, new Map(operands.map((named) => [named.name, named])))).toBeUndefined();
  });
});
