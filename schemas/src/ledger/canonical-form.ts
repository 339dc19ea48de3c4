/**
 * Why: whoever verifies a ledger holds every entry against its schema and against the one form that RFC 8785 gives it,
 * and reading it into objects first, only to look at them, costs more than all the rest. This compiles a schema to a test
 * of bytes. It may say no to a valid text, which then goes the general way: through JSON.parse, the parser of the schema
 * and canonicalJson. It never says yes to a text that these would refuse or change.
 */
import { isUtf8 } from 'node:buffer';
import type { z } from 'zod';
import { digestText } from '../package/bundle.ts';
import { CanonicalScan } from './canonical-scan.ts';

/** Whether bytes are the canonical JSON of a value that a schema takes as it stands: nothing to strip, to fill in or to convert. */
export type CanonicalForm = (bytes: Buffer) => boolean;

/** Takes one value, or says no, and then it does not matter where the scan stands. */
type Form = (scan: CanonicalScan) => boolean;
/** Looks at the value that was taken since a place. */
type Rule = (scan: CanonicalScan, from: number) => boolean;
type Schema = z.core.$ZodTypes;
type Check = z.core.$ZodCheck<never>;
type Member = { readonly name: Uint8Array; readonly isOptional: boolean; readonly form: Form };

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const COLON = 0x3a;
const PROTO = Buffer.from('"__proto__"');
/** Types whose values cannot be taken for one another, nor be changed by a parser that tries them first. */
const SCALARS: ReadonlySet<string> = new Set(['string', 'number', 'boolean', 'null', 'literal', 'enum']);

const never: Form = () => false;
const takeString: Form = (scan) => scan.string();
const takeNumber: Form = (scan) => scan.number();

/** Compiles a schema; a part of a kind that is not known here makes the test say no wherever that part is used. */
export function canonicalForm(schema: z.ZodType): CanonicalForm {
  const form = compile(schema as unknown as Schema);
  return (bytes) => {
    if (!isUtf8(bytes)) return false;
    const scan = new CanonicalScan(bytes);
    return form(scan) && scan.isAtEnd;
  };
}

function compile(schema: Schema): Form {
  if (schema === (digestText as unknown)) return (scan) => scan.digest();
  const checks = (schema._zod.def.checks ?? []) as readonly Check[];
  return checks.map(compileCheck).reduce(withRule, compileType(schema));
}

function withRule(form: Form, rule: Rule): Form {
  return (scan) => {
    const from = scan.at;
    return form(scan) && rule(scan, from);
  };
}

function compileType(schema: Schema): Form {
  const { def } = schema._zod;
  switch (def.type) {
    case 'string':
      return compileString(def);
    case 'number':
      return compileNumber(def);
    case 'boolean':
      return oneOf([true, false]);
    case 'null':
      return oneOf([null]);
    case 'literal':
      return oneOf(def.values);
    case 'enum':
      return oneOf(Object.values(def.entries));
    case 'object':
      return compileObject(def);
    case 'array':
      return compileArray(compile(def.element as Schema));
    case 'record':
      return compileRecord(def.keyType as Schema, compile(def.valueType as Schema));
    case 'union':
      return compileUnion(def);
    case 'nullable':
      return firstOf([oneOf([null]), compile(def.innerType as Schema)]);
    // Objects see to it whether it may be missing.
    case 'default':
    case 'optional':
      return compile(def.innerType as Schema);
    default:
      return never;
  }
}

function compileString(def: z.core.$ZodStringDef & { readonly pattern?: RegExp; readonly format?: string }): Form {
  return def.format === undefined ? takeString : withRule(takeString, followsPattern(def.pattern));
}

function compileNumber(def: z.core.$ZodNumberDef & { readonly format?: string }): Form {
  if (def.format === undefined) return takeNumber;
  return def.format === 'safeint' ? (scan) => scan.number() && Number.isSafeInteger(scan.measure) : never;
}

function oneOf(values: readonly unknown[]): Form {
  const texts = values.map((value) => Buffer.from(JSON.stringify(value)));
  return (scan) => {
    for (const text of texts) if (scan.literal(text)) return true;
    return false;
  };
}

/** Only strict objects: others would strip or pass what they do not know. */
function compileObject({ shape, catchall }: z.core.$ZodObjectDef): Form {
  if (catchall?._zod.def.type !== 'never') return never;
  const members = Object.keys(shape)
    .sort()
    .map((key) => memberOf(key, shape[key] as Schema));
  return (scan) => {
    if (!scan.byte(OPEN_BRACE)) return false;
    let isFirst = true;
    for (const { name, isOptional, form } of members) {
      if (scan.member(name, isFirst)) {
        if (!form(scan)) return false;
        isFirst = false;
      } else if (!isOptional) return false;
    }
    return scan.byte(CLOSE_BRACE);
  };
}

/** What has a default is needed: it would be filled in. */
function memberOf(key: string, schema: Schema): Member {
  const { def } = schema._zod;
  const isOptional = def.type === 'optional' && def.innerType._zod.optin === undefined;
  return { name: Buffer.from(`${JSON.stringify(key)}:`), isOptional, form: compile(schema) };
}

function compileArray(item: Form): Form {
  return (scan) => {
    if (!scan.byte(OPEN_BRACKET)) return false;
    let items = 0;
    while (!scan.byte(CLOSE_BRACKET)) {
      if (!scan.separator(items === 0) || !item(scan)) return false;
      items += 1;
    }
    scan.measure = items;
    return true;
  };
}

/** Keys ascend, which is told of plain ones only; a parser takes no member that is called `__proto__`. */
function compileRecord(keys: Schema, value: Form): Form {
  if (keys._zod.def.type !== 'string') return never;
  const key = withRule(compile(keys), (scan, from) => scan.isPlain(from) && !scan.isText(PROTO, from));
  return (scan) => {
    if (!scan.byte(OPEN_BRACE)) return false;
    let former = 0;
    while (!scan.byte(CLOSE_BRACE)) {
      if (!scan.separator(former === 0)) return false;
      const from = scan.at;
      if (!key(scan) || (former !== 0 && !scan.ascends(former, from))) return false;
      if (!scan.byte(COLON) || !value(scan)) return false;
      former = from;
    }
    return true;
  };
}

/** A parser takes the first option that fits, and may change the value for it: here only one can fit, or none changes it. */
function compileUnion(def: z.core.$ZodUnionDef): Form {
  const options = def.options as readonly Schema[];
  const areApart =
    'discriminator' in def ||
    options.every(
      ({
        _zod: {
          def: { type, checks },
        },
      }) => SCALARS.has(type) && checks === undefined,
    );
  return areApart ? firstOf(options.map(compile)) : never;
}

function firstOf(forms: readonly Form[]): Form {
  return (scan) => {
    const from = scan.at;
    for (const form of forms) {
      scan.at = from;
      if (form(scan)) return true;
    }
    return false;
  };
}

function compileCheck(check: Check): Rule {
  const { def } = check._zod as unknown as { readonly def: z.core.$ZodChecks['_zod']['def'] };
  switch (def.check) {
    case 'min_length':
      return ({ measure }) => measure >= def.minimum;
    case 'max_length':
      return ({ measure }) => measure <= def.maximum;
    case 'greater_than':
      return bounded(def.value, (value, bound) => value > bound || (def.inclusive && value === bound));
    case 'less_than':
      return bounded(def.value, (value, bound) => value < bound || (def.inclusive && value === bound));
    case 'string_format':
      return followsPattern(def.pattern);
    default:
      return runRule(check);
  }
}

function bounded(bound: unknown, holds: (value: number, bound: number) => boolean): Rule {
  return typeof bound === 'number' ? ({ measure }) => holds(measure, bound) : never;
}

function followsPattern(pattern: RegExp | undefined): Rule {
  return pattern === undefined || pattern.global || pattern.sticky
    ? never
    : (scan, from) => pattern.test(scan.text(from));
}

/** A rule in code (`refine`) sees the value itself; one that changes it, or that takes its time, counts as no. */
function runRule(check: Check): Rule {
  return (scan, from) => {
    const value = scan.value(from);
    const payload = { value: value as never, issues: [] as z.core.$ZodRawIssue[] };
    const pending = check._zod.check(payload);
    return !(pending instanceof Promise) && payload.issues.length === 0 && payload.value === value;
  };
}
