/** The expression language: typed, bounded, and pointing at what is wrong. */
import { describe, expect, it } from 'vitest';
import { compileExpression, EXPRESSION_LIMITS } from './expression.ts';

const codes = { syntax: 'CAMPAIGN_SYNTAX', type: 'CAMPAIGN_TYPE', cost: 'CAMPAIGN_COST' } as const;
const compile = (source: string) =>
  compileExpression(source, { x: 'double', name: 'string', attributes: 'map<string, string>' }, codes);

describe('compileExpression', () => {
  it('evaluates over the declared variables', () => {
    const expression = compile('abs(x) >= 0.35 && name.startsWith("ice") && attributes.place == "Ames"');
    expect(expression.evaluate({ x: -0.35, name: 'ice-1', attributes: { place: 'Ames' } })).toBe(true);
    expect(expression.evaluate({ x: -0.34, name: 'ice-1', attributes: { place: 'Ames' } })).toBe(false);
  });

  it.each([
    ['x >', 'CAMPAIGN_SYNTAX'],
    ['x > "a"', 'CAMPAIGN_TYPE'],
    ['y > 1.0', 'CAMPAIGN_TYPE'],
    ['x + 1.0', 'CAMPAIGN_TYPE'],
    ['abs(name) > 1.0', 'CAMPAIGN_TYPE'],
  ])('refuses %s with %s', (source, code) => {
    expect(() => compile(source)).toThrow(expect.objectContaining({ code }));
  });

  it('points at the character', () => {
    expect(() => compile('x > 1.0 && nope')).toThrow(/\^/);
  });

  it('refuses an expression over its cost bound', () => {
    const source = Array.from({ length: EXPRESSION_LIMITS.maxAstNodes }, () => 'x > 1.0').join(' || ');
    expect(() => compile(source)).toThrow(expect.objectContaining({ code: 'CAMPAIGN_COST' }));
  });
});
