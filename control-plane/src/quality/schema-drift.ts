/**
 * Why: whether a change of form breaks whoever reads the topic decides what is said of it. A field more does not; a field that is
 * gone, renamed, of another type or in another unit does. A topic that is absent was not captured: that is no change.
 */
import type { FieldForm, TopicForm } from './topic-form.ts';

export const SCHEMA_CHANGES = [
  'encoding',
  'schema',
  'schema text',
  'field added',
  'field removed',
  'type',
  'unit',
  'rate',
] as const;
export type SchemaChange = {
  readonly what: (typeof SCHEMA_CHANGES)[number];
  /** The field that changed, or empty. */
  readonly field: string;
  readonly before: string;
  readonly after: string;
};

/** `breaking`: a reader of the former form misreads this one. `extended`: it does not. `rate`: only how often it comes. */
export type ChangeWeight = 'breaking' | 'extended' | 'rate';

/** Rates that differ by less are the same rate under load. */
const RATE_FACTOR_MIN = 1.5;
/** Messages that must have been looked at before a field that was in none of them counts as gone, or as new. */
const SAMPLED_MIN = 16;
const BREAKING: ReadonlySet<SchemaChange['what']> = new Set(['encoding', 'schema', 'field removed', 'type', 'unit']);

/** What changed of one topic from one recording to another. */
export function compareForms(before: TopicForm, after: TopicForm): readonly SchemaChange[] {
  const named = [
    ...differing('encoding', before.encoding, after.encoding),
    ...differing('schema', before.schemaName, after.schemaName),
  ];
  const fields = named.length > 0 || isSameBySchema(before, after) ? [] : compareFields(before, after);
  const isOtherText = before.schema !== null && after.schema !== null && before.schema !== after.schema;
  // The digest differs by a comment, too: it says something only where nothing else does.
  const text =
    isOtherText && named.length + fields.length === 0
      ? differing('schema text', before.schema ?? '', after.schema ?? '')
      : [];
  return [...named, ...fields, ...text, ...compareRates(before, after)];
}

export function weightOf(changes: readonly SchemaChange[]): ChangeWeight {
  if (changes.some(({ what }) => BREAKING.has(what))) return 'breaking';
  return changes.every(({ what }) => what === 'rate') ? 'rate' : 'extended';
}

function differing(what: SchemaChange['what'], before: string, after: string): readonly SchemaChange[] {
  return before === after ? [] : [{ what, field: '', before, after }];
}

/** A schema that decoding needs says all of the fields; a JSON message may hold what it likes whatever its schema says. */
function isSameBySchema(before: TopicForm, after: TopicForm): boolean {
  return before.schema !== null && before.schema === after.schema && after.encoding !== 'json';
}

function compareFields(before: TopicForm, after: TopicForm): readonly SchemaChange[] {
  if (before.isCut || after.isCut) return [];
  const isSure =
    (before.isDeclared && after.isDeclared) || (before.sampled >= SAMPLED_MIN && after.sampled >= SAMPLED_MIN);
  const former = new Map(before.fields.map((field) => [field.name, field]));
  const changes: SchemaChange[] = [];
  for (const field of after.fields) {
    const { name } = field;
    const known = former.get(name);
    former.delete(name);
    if (known !== undefined) changes.push(...compareField(known, field, after.isDeclared));
    else if (isSure) changes.push({ what: 'field added', field: name, before: '', after: describeField(field) });
  }
  if (!isSure) return changes;
  const gone = [...former.values()].map(
    (field) => ({ what: 'field removed', field: field.name, before: describeField(field), after: '' }) as const,
  );
  return [...gone, ...changes];
}

/** What a sample did not tell is not held against it. */
function compareField(before: FieldForm, after: FieldForm, isDeclared: boolean): readonly SchemaChange[] {
  const field = after.name;
  const changes: SchemaChange[] = [];
  if (before.type !== '' && after.type !== '' && before.type !== after.type)
    changes.push({ what: 'type', field, before: before.type, after: after.type });
  if (before.unit !== after.unit && (isDeclared || (before.unit !== '' && after.unit !== '')))
    changes.push({ what: 'unit', field, before: before.unit, after: after.unit });
  return changes;
}

function compareRates({ rateHz: before }: TopicForm, { rateHz: after }: TopicForm): readonly SchemaChange[] {
  if (before === null || after === null) return [];
  if (Math.max(before, after) <= RATE_FACTOR_MIN * Math.min(before, after)) return [];
  return [{ what: 'rate', field: '', before: describeRate(before), after: describeRate(after) }];
}

const describeRate = (rateHz: number): string => `${rateHz.toPrecision(3)} Hz`;
const describeField = ({ type, unit }: FieldForm): string => [type, unit].filter((part) => part !== '').join(' ');
