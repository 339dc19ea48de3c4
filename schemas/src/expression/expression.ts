/** CEL over a declared, typed environment with a cost bound: the one expression language of triggers, filters and slices. */
import { type ASTNode, Environment, ParseError } from '@marcbachmann/cel-js';
import { FleetError } from '../errors/fleet-error.ts';
import type { ErrorCode } from '../errors/error-codes.ts';
import { pointAt } from './source-position.ts';

export type VariableType = 'double' | 'int' | 'string' | 'bool' | 'list<string>' | 'map<string, string>';

export type ExpressionValue = number | bigint | string | boolean | readonly string[] | Readonly<Record<string, string>>;

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

/** A node of a checked expression; `start` and `end` are offsets into the source. */
export type ExpressionNode = ASTNode;

export type CompiledExpression = {
  readonly source: string;
  readonly root: ExpressionNode;
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
  for (const [name, type] of Object.entries(variables)) declare(environment, name, type, codes);
  const program = parse(environment, source, codes);
  const checked = program.check();
  if (!checked.valid) throw new FleetError(codes.type, describe(source, checked.error), { cause: checked.error });
  if (checked.type !== 'bool') {
    throw new FleetError(
      codes.type,
      `the expression ${JSON.stringify(source)} is of type ${checked.type}: it must be a bool`,
    );
  }
  return { source, root: program.ast, evaluate: (values) => program(values) === true };
}

function declare(environment: Environment, name: string, type: VariableType, codes: ExpressionErrorCodes): void {
  try {
    environment.registerVariable(name, type);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FleetError(codes.type, `${name} cannot be the name of a variable, choose another: ${why}`, { cause });
  }
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

/** What is wrong, and where. */
function describe(source: string, error: unknown): string {
  const { summary, offset } = partsOf(error);
  const where = offset === undefined ? '' : ` ${pointAt(source, offset)}`;
  return `the expression ${JSON.stringify(source)} is not valid: ${summary}${where}`;
}

/** The library's errors carry what is wrong apart from where. */
function partsOf(error: unknown): { readonly summary: string; readonly offset?: number } {
  if (!(error instanceof Error)) return { summary: String(error) };
  const summary = 'summary' in error && typeof error.summary === 'string' ? error.summary : error.message;
  const range = 'range' in error ? error.range : undefined;
  const isRange = typeof range === 'object' && range !== null && 'start' in range && typeof range.start === 'number';
  return isRange ? { summary, offset: range.start as number } : { summary };
}
