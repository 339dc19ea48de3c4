/**
 * Why: whoever verifies a ledger holds every body against its schema, and the general parser copies each of them on the
 * way. This compiles a schema to a test that copies nothing. It may say no to a valid value, which then goes through the
 * parser itself; it never says yes to one that the parser would refuse or change.
 */
import type { z } from 'zod';

/** Whether a value has the form of the schema exactly as it stands: nothing to strip, to fill in or to convert. */
export type ExactForm = (value: unknown) => boolean;

type Schema = z.core.$ZodTypes;
type Check = z.core.$ZodCheck<never>;

/** Compiles a schema; a part of a kind that is not known here makes the test say no wherever that part is used. */
export function exactForm(schema: z.ZodType): ExactForm {
  return compile(schema as unknown as Schema);
}

function compile(schema: Schema): ExactForm {
  const base = compileType(schema);
  const checks = (schema._zod.def.checks ?? []).map((check) => compileCheck(check as Check));
  if (checks.length === 0) return base;
  const [first = never, second = always, ...rest] = checks;
  if (rest.length === 0) return (value) => base(value) && first(value) && second(value);
  return (value) => base(value) && checks.every((check) => check(value));
}

const always: ExactForm = () => true;
const never: ExactForm = () => false;

function compileType(schema: Schema): ExactForm {
  const { def } = schema._zod;
  switch (def.type) {
    case 'string':
      return compileString(def);
    case 'number':
      return compileNumber(def);
    case 'boolean':
      return (value) => typeof value === 'boolean';
    case 'null':
      return (value) => value === null;
    case 'literal':
      return oneOf(def.values);
    case 'enum':
      return oneOf(Object.values(def.entries));
    case 'object':
      return compileObject(def);
    case 'array':
      return compileArray(compile(def.element as Schema));
    case 'record':
      return compileRecord(compile(def.keyType as Schema), compile(def.valueType as Schema));
    case 'union':
      return compileUnion(def.options.map((option) => compile(option as Schema)));
    case 'nullable':
      return either(null, compile(def.innerType as Schema));
    case 'optional':
      return either(undefined, compile(def.innerType as Schema));
    case 'custom':
      return runCheck(schema as unknown as Check);
    // A default is filled in where the value is missing, and a missing value is not of the inner type.
    case 'default':
      return compile(def.innerType as Schema);
    default:
      return never;
  }
}

function compileString(def: z.core.$ZodStringDef & { readonly pattern?: RegExp; readonly format?: string }): ExactForm {
  const isString: ExactForm = (value) => typeof value === 'string';
  if (def.format === undefined) return isString;
  const { pattern } = def;
  return pattern === undefined || pattern.global || pattern.sticky
    ? never
    : (value) => isString(value) && pattern.test(value as string);
}

function compileNumber(def: z.core.$ZodNumberDef & { readonly format?: string }): ExactForm {
  if (def.format === undefined) return Number.isFinite;
  return def.format === 'safeint' ? Number.isSafeInteger : never;
}

/** Only strict objects: others would strip or pass what they do not know. */
function compileObject({ shape, catchall }: z.core.$ZodObjectDef): ExactForm {
  if (catchall?._zod.def.type !== 'never') return never;
  const members = new Map(Object.entries(shape).map(([key, member]) => [key, compile(member as Schema)]));
  const required = Object.keys(shape).filter((key) => (shape[key] as Schema)._zod.def.type !== 'optional');
  return (value) => {
    if (!isPlainObject(value)) return false;
    for (const key in value) {
      if (members.get(key)?.(value[key]) !== true) return false;
    }
    for (const key of required) if (!Object.hasOwn(value, key)) return false;
    return true;
  };
}

function compileArray(element: ExactForm): ExactForm {
  return (value) => {
    if (!Array.isArray(value)) return false;
    for (const item of value) if (!element(item)) return false;
    return true;
  };
}

function compileRecord(keys: ExactForm, values: ExactForm): ExactForm {
  return (value) => {
    if (!isPlainObject(value)) return false;
    for (const key in value) if (key === '__proto__' || !keys(key) || !values(value[key])) return false;
    return true;
  };
}

function compileUnion(options: readonly ExactForm[]): ExactForm {
  return (value) => {
    for (const option of options) if (option(value)) return true;
    return false;
  };
}

function either(exception: null | undefined, inner: ExactForm): ExactForm {
  return (value) => value === exception || inner(value);
}

function oneOf(values: readonly unknown[]): ExactForm {
  const allowed = new Set(values);
  return (value) => allowed.has(value);
}

function compileCheck(check: Check): ExactForm {
  const { def } = check._zod as unknown as { readonly def: z.core.$ZodChecks['_zod']['def'] };
  switch (def.check) {
    case 'min_length':
      return (value) => (value as { readonly length: number }).length >= def.minimum;
    case 'max_length':
      return (value) => (value as { readonly length: number }).length <= def.maximum;
    case 'greater_than':
      return compileBound(def.value, (value, bound) => value > bound || (def.inclusive && value === bound));
    case 'less_than':
      return compileBound(def.value, (value, bound) => value < bound || (def.inclusive && value === bound));
    case 'string_format': {
      const { pattern } = def;
      return pattern === undefined || pattern.global || pattern.sticky
        ? never
        : (value) => pattern.test(value as string);
    }
    default:
      return runCheck(check);
  }
}

function compileBound(bound: unknown, holds: (value: number, bound: number) => boolean): ExactForm {
  return typeof bound === 'number' ? (value) => holds(value as number, bound) : never;
}

/** A rule in code (`refine`) is run as it is; one that changes the value, or that takes its time, counts as no. */
function runCheck(check: Check): ExactForm {
  return (value) => {
    const payload = { value: value as never, issues: [] as z.core.$ZodRawIssue[] };
    const pending = check._zod.check(payload);
    return !(pending instanceof Promise) && payload.issues.length === 0 && payload.value === value;
  };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
