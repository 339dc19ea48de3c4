/**
 * Tables of the README that are made from the code: the keys of the configuration from the schema that checks them, the limits from
 * the constants that hold them. `node edge-agent/scripts/readme-tables.ts` writes them, and a test holds them to the code.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { AgentConfig } from '../src/agent/agent-config.ts';

export const README_FILE = fileURLToPath(new URL('../README.md', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Where the maxima of the agent stand. */
const LIMITED = [
  'edge-agent/src',
  'schemas/src/assign',
  'schemas/src/campaign',
  'schemas/src/capture',
  'schemas/src/features',
  'schemas/src/trigger',
];
const LIMIT = /(?:\/\*\* ([^*\n]+?) ?\*\/\n)?export const ([A-Z_]+_MAX) = ([^;\n]+);/g;

type Json = Readonly<Record<string, unknown>>;
export type ConfigKey = {
  readonly key: string;
  readonly type: string;
  readonly defaultText: string;
  readonly description: string;
};

/** Every key at which a value stands, in the order of the schema. */
export function configKeys(): readonly ConfigKey[] {
  const schema = z.toJSONSchema(AgentConfig, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  return keysOf(schema as Json, { at: '', isNeeded: true, standard: undefined });
}

/** The README with its tables as the code has them. */
export function withTables(readme: string): string {
  return withBlock(withBlock(readme, 'config', configTable()), 'limits', limitsTable());
}

function withBlock(readme: string, name: string, table: string): string {
  const [begin, end] = [`<!-- ${name}: made by edge-agent/scripts/readme-tables.ts -->\n`, `<!-- ${name}: end -->`];
  const [start, stop] = [readme.indexOf(begin), readme.indexOf(end)];
  if (start === -1 || stop < start) throw new Error(`the README has no place for the table ${name}`);
  return `${readme.slice(0, start)}${begin}${table}${readme.slice(stop)}`;
}

function configTable(): string {
  const rows = configKeys().map(
    ({ key, type, defaultText, description }) => `| \`${key}\` | ${type} | ${defaultText} | ${description} |`,
  );
  return ['| key | type | default | meaning |', '|---|---|---|---|', ...rows, ''].join('\n');
}

function limitsTable(): string {
  const rows = LIMITED.flatMap(limitsBelow).map(
    ({ file, name, value, comment }) => `| \`${name}\` | \`${value}\` | ${comment} | \`${file}\` |`,
  );
  return ['| limit | value | what | where |', '|---|---|---|---|', ...rows, ''].join('\n');
}

type Limit = { readonly file: string; readonly name: string; readonly value: string; readonly comment: string };

function limitsBelow(folder: string): readonly Limit[] {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .toSorted();
  return files.flatMap((file) =>
    [...readFileSync(join(ROOT, folder, file), 'utf8').matchAll(LIMIT)].map(
      ([, comment = '', name = '', value = '']) => ({
        file: `${folder}/${file}`,
        name,
        value,
        comment: comment.replaceAll('|', '\\|'),
      }),
    ),
  );
}

type Place = {
  readonly at: string;
  readonly isNeeded: boolean;
  /** What stands there when the group around it is left out. */
  readonly standard: unknown;
};

function keysOf(schema: Json, { at, isNeeded, standard }: Place): readonly ConfigKey[] {
  const { properties, required } = schema as { properties?: Record<string, Json>; required?: readonly string[] };
  const own = schema['description'] as string | undefined;
  if (properties === undefined) return [leaf(schema, { at, isNeeded, standard })];
  const isOptional = at !== '' && !isNeeded;
  const head =
    own !== undefined && isOptional && !('default' in schema) ? [leaf(schema, { at, isNeeded, standard })] : [];
  const standards = (standard ?? schema['default'] ?? {}) as Readonly<Record<string, unknown>>;
  const below = Object.entries(properties).flatMap(([name, value]) =>
    keysOf(value, {
      at: at === '' ? name : `${at}.${name}`,
      isNeeded: required?.includes(name) === true,
      standard: standards[name],
    }),
  );
  return [...head, ...below];
}

function leaf(schema: Json, { at: key, isNeeded, standard: around }: Place): ConfigKey {
  const { default: own, description } = schema;
  const standard = around ?? own;
  const defaultText = standard !== undefined ? `\`${JSON.stringify(standard)}\`` : isNeeded ? 'must be given' : 'none';
  const items = schema['items'] as Json | undefined;
  const each = (items?.['description'] as string | undefined) ?? '';
  const text = [description, each].filter((part) => part !== undefined && part !== '').join(' ');
  return { key, type: typeOf(schema), defaultText, description: text.replaceAll('|', '\\|') };
}

function typeOf(schema: Json): string {
  const choices = schema['enum'] as readonly unknown[] | undefined;
  if (choices !== undefined) return choices.map((choice) => `\`${String(choice)}\``).join(', ');
  const any = schema['anyOf'] as readonly Json[] | undefined;
  if (any !== undefined) return [...new Set(any.map(typeOf))].join(' or ');
  const { minimum, maximum, exclusiveMinimum } = schema as Readonly<Record<string, number | undefined>>;
  const { type = 'any', maxItems } = schema as { readonly type?: string; readonly maxItems?: number };
  const least = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? undefined : `from ${minimum}`;
  const over = exclusiveMinimum === undefined ? undefined : `over ${exclusiveMinimum}`;
  const most = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : `to ${maximum}`;
  const length = maxItems === undefined ? undefined : `up to ${maxItems}`;
  return [type, least, over, most, length].filter((part) => part !== undefined).join(' ');
}

if (import.meta.main) writeFileSync(README_FILE, withTables(readFileSync(README_FILE, 'utf8')));
