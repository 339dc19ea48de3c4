/**
 * Why: software changes what it sends, and whatever reads it finds out too late. This compares the forms of topics (fields, units,
 * encoding, rate) of one vehicle's recordings, or a recording with what a standard expects; a topic that is absent was not captured.
 */

export type FieldForm = { readonly name: string; readonly unit: string };

/** What a topic looked like in one recording. */
export type TopicForm = {
  readonly topic: string;
  /** `signals`, or the message encoding of a foreign channel. */
  readonly encoding: string;
  readonly schemaName: string;
  readonly fields: readonly FieldForm[];
  /** Middle rate of a topic that comes regularly. */
  readonly rateHz: number | undefined;
};

/** One recording as the catalogue summarises it. */
export type RecordingForm = {
  readonly vehicle: string;
  readonly softwareVersion: string;
  readonly startNs: bigint;
  readonly topics: readonly TopicForm[];
};

export const SCHEMA_CHANGES = ['encoding', 'schema', 'field added', 'field removed', 'unit', 'rate'] as const;
export type SchemaChange = {
  readonly topic: string;
  readonly what: (typeof SCHEMA_CHANGES)[number];
  /** The field that changed, or empty. */
  readonly field: string;
  readonly before: string;
  readonly after: string;
};

/** Rates that differ by less are the same rate under load. */
const RATE_FACTOR_MIN = 1.5;
const CHANGES_MAX = 256;

/** What changed of the topics that both have, in the order of the later one. */
export function compareForms(former: readonly TopicForm[], later: readonly TopicForm[]): readonly SchemaChange[] {
  const byTopic = new Map(former.map((form) => [form.topic, form]));
  return later
    .flatMap((form) => {
      const before = byTopic.get(form.topic);
      return before === undefined ? [] : changesOf(before, form);
    })
    .slice(0, CHANGES_MAX);
}

function changesOf(before: TopicForm, after: TopicForm): readonly SchemaChange[] {
  const { topic } = after;
  const changes: SchemaChange[] = [];
  const add = (what: SchemaChange['what'], field: string, from: string, to: string): void => {
    changes.push({ topic, what, field, before: from, after: to });
  };
  if (before.encoding !== after.encoding) add('encoding', '', before.encoding, after.encoding);
  if (before.schemaName !== after.schemaName) add('schema', '', before.schemaName, after.schemaName);
  const fields = new Map(before.fields.map(({ name, unit }) => [name, unit]));
  for (const { name, unit } of after.fields) {
    const former = fields.get(name);
    if (former === undefined) add('field added', name, '', unit);
    else if (former !== unit) add('unit', name, former, unit);
    fields.delete(name);
  }
  for (const [name, unit] of fields) add('field removed', name, unit, '');
  const [slow, fast] = [before.rateHz, after.rateHz].map((rate) => rate ?? Number.NaN).toSorted((a, b) => a - b) as [
    number,
    number,
  ];
  if (fast / slow > RATE_FACTOR_MIN)
    add('rate', '', `${before.rateHz?.toPrecision(3)} Hz`, `${after.rateHz?.toPrecision(3)} Hz`);
  return changes;
}

/** The recordings of each vehicle in order of time, each with what changed since the one before it. */
export function findSchemaChanges(recordings: readonly RecordingForm[]): readonly {
  readonly former: RecordingForm;
  readonly later: RecordingForm;
  readonly changes: readonly SchemaChange[];
}[] {
  const byVehicle = Map.groupBy(recordings, ({ vehicle }) => vehicle);
  return [...byVehicle.values()].flatMap((own) => {
    const ordered = own.toSorted((a, b) => (a.startNs < b.startNs ? -1 : Number(a.startNs > b.startNs)));
    // A topic may be absent from some recordings, so each is held against the last form that was seen of it.
    const known = new Map<string, { readonly form: TopicForm; readonly from: RecordingForm }>();
    return ordered.flatMap((later) => {
      const changes = later.topics.flatMap((form) => {
        const before = known.get(form.topic);
        known.set(form.topic, { form, from: later });
        return before === undefined
          ? []
          : compareForms([before.form], [form]).map((change) => ({ change, former: before.from }));
      });
      return [...Map.groupBy(changes, ({ former }) => former)].map(([former, found]) => ({
        former,
        later,
        changes: found.map(({ change }) => change),
      }));
    });
  });
}
