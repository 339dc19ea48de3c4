/** CEL over a declared, typed environment with a cost bound: the one expression language of triggers, filters and slices. */
import { Environment, ParseError } from '@marcbachmann/cel-js';
import { FleetError } from '../errors/fleet-error.ts';
import type { ErrorCode } from '../errors/error-codes.ts';

export type VariableType = 'double' | 'int' | 'string' | 'bool' | 'map<string, string>';

export type ExpressionValue = number | bigint | string | boolean | Readonly<Record<string, string>>;

/** Structural bounds at parse time: they bound the cost of one evaluation. */
export const EXPRESSION_LIMITS = {
  maxAstNodes: 500,
  maxDepth: 24,
  maxListElements: 200,
  maxMapEntries: 50,
  maxCallArguments: 16,
} as const;

export type ExpressionErrorCodes = {
  readonly syntax: ErrorCode;
  readonly type: ErrorCode;
  /** Over a bound of EXPRESSION_LIMITS; `syntax` where there is no code of its own. */
  readonly cost?: ErrorCode;
};

export type CompiledExpression = {
  readonly source: string;
  /** Evaluates over values of the declared variables. @throws when a value is absent or an operation fails. */
  readonly evaluate: (variables: Readonly<Record<string, ExpressionValue>>) => boolean;
};

/**
 * Parses and type-checks an expression of type bool. `abs(double): double` is available beside CEL's own functions.
 * @throws FleetError with `codes.syntax`, `codes.type` or `codes.cost`; the message points at the character
 */
export function compileExpression(
  source: string,
  variables: Readonly<Record<string, VariableType>>,
  codes: ExpressionErrorCodes,
): CompiledExpression {
  const environment = new Environment({ limits: EXPRESSION_LIMITS });
  environment.registerFunction('abs(double): double', (value: number) => Math.abs(value));
  for (const [name, type] of Object.entries(variables)) environment.registerVariable(name, type);
  const program = parse(environment, source, codes);
  const checked = program.check();
  if (!checked.valid) throw new FleetError(codes.type, describe(source, checked.error), { cause: checked.error });
  if (checked.type !== 'bool') {
    throw new FleetError(
      codes.type,
      `the expression ${JSON.stringify(source)} is of type ${checked.type}: it must be a bool`,
    );
  }
  return { source, evaluate: (values) => program(values) === true };
}

function parse(
  environment: Environment,
  source: string,
  codes: ExpressionErrorCodes,
): ReturnType<Environment['parse']> {
  try {
    return environment.parse(source);
  } catch (cause) {
    const isOverLimit = cause instanceof ParseError && cause.code === 'limit_exceeded';
    throw new FleetError(isOverLimit ? (codes.cost ?? codes.syntax) : codes.syntax, describe(source, cause), { cause });
  }
}

/** The library's message already draws the line and a caret under the character. */
function describe(source: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return `the expression ${JSON.stringify(source)} is not valid: ${message}`;
}
