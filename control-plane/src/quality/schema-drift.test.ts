/** A change of form is found whatever other topics do, weighs what it breaks, and a topic that was not captured is no change. */
import { describe, expect, it } from 'vitest';
import { type FormOrigin, KnownForms } from './known-forms.ts';
import { compareForms, weightOf } from './schema-drift.ts';
import type { TopicForm } from './topic-form.ts';

const X = { name: 'accel_x', type: 'number', unit: 'g' };
const Y = { name: 'accel_y', type: 'number', unit: 'g' };
const form = (change: Partial<TopicForm> = {}): TopicForm => ({
  topic: '/imu',
  encoding: 'json',
  schemaName: 'imu',
  schema: null,
  fields: [X, Y],
  isDeclared: false,
  sampled: 20,
  isCut: false,
  rateHz: 100,
  ...change,
});

describe('compareForms', () => {
  it('says nothing of equal forms, of rates that are nearly the same, and of what a sample could not tell', () => {
    expect(compareForms(form(), form({ rateHz: 90 }))).toEqual([]);
    expect(compareForms(form(), form({ rateHz: null }))).toEqual([]);
    expect(compareForms(form(), form({ sampled: 3, fields: [X] }))).toEqual([]);
    expect(compareForms(form(), form({ isCut: true, fields: [X] }))).toEqual([]);
    expect(compareForms(form(), form({ fields: [X, { ...Y, type: '', unit: '' }] }))).toEqual([]);
  });

  it.each([
    ['encoding', 'breaking', { encoding: 'cdr' }, { before: 'json', after: 'cdr' }],
    ['schema', 'breaking', { schemaName: 'imu2' }, { before: 'imu', after: 'imu2' }],
    ['unit', 'breaking', { fields: [{ ...X, unit: 'm/s^2' }, Y] }, { field: 'accel_x', before: 'g', after: 'm/s^2' }],
    ['type', 'breaking', { fields: [X, { ...Y, type: 'text' }] }, { field: 'accel_y', after: 'text' }],
    ['field removed', 'breaking', { fields: [X] }, { field: 'accel_y', before: 'number g' }],
    ['field added', 'extended', { fields: [X, Y, { ...Y, name: 'accel_z' }] }, { field: 'accel_z' }],
    ['rate', 'rate', { rateHz: 50 }, { before: '100 Hz', after: '50.0 Hz' }],
  ] as const)('names a change of %s, which is %s', (what, weight, change, expected) => {
    const changes = compareForms(form(), form(change));
    expect(changes).toEqual([expect.objectContaining({ what, ...expected })]);
    expect(weightOf(changes)).toBe(weight);
  });

  it('takes a renamed field for one that is gone and one that is new', () => {
    const changes = compareForms(form(), form({ fields: [X, { ...Y, name: 'acceleration_y' }] }));
    expect(changes.map(({ what, field }) => [what, field])).toEqual([
      ['field removed', 'accel_y'],
      ['field added', 'acceleration_y'],
    ]);
    expect(weightOf(changes)).toBe('breaking');
  });

  it('believes a schema that decoding needs, and looks for fields where the text of the schema differs', () => {
    const cdr = form({ encoding: 'cdr', schema: `sha256:${'1'.repeat(64)}` });
    const other = `sha256:${'2'.repeat(64)}`;
    expect(compareForms(cdr, { ...cdr, fields: [X] })).toEqual([]);
    expect(compareForms(cdr, { ...cdr, schema: other })).toMatchObject([{ what: 'schema text' }]);
    expect(compareForms(cdr, { ...cdr, schema: other, fields: [X] })).toMatchObject([{ what: 'field removed' }]);
  });
});

describe('KnownForms', () => {
  const origin = (recording: string, softwareVersion: string, change: Partial<FormOrigin> = {}): FormOrigin => ({
    recording,
    vehicleId: 'truck-1',
    hardwareRevision: 'B',
    softwareName: 'agent',
    softwareVersion,
    generator: '',
    ...change,
  });
  /** Takes recordings in, in this order, and says what each of them changed. */
  const changesOf = (recordings: readonly (readonly [FormOrigin, readonly TopicForm[]])[]): string[] => {
    const known = new KnownForms();
    return recordings.flatMap(([from, forms]) => {
      const { changes, introduced } = known.compare(from, forms);
      known.addForms(from, introduced);
      known.addVersion(from);
      return changes.map(
        ({ former, isVersioned, changes: [first] }) =>
          `${from.recording} against ${former.recording}: ${first?.what}${isVersioned ? '' : ', unversioned'}`,
      );
    });
  };
  const CDR = form({ encoding: 'cdr' });

  it('holds a new software version against the one before it, also where a topic was not captured in between', () => {
    expect(
      changesOf([
        [origin('a', '1.0'), [form()]],
        [origin('b', '1.0'), []],
        [origin('c', '1.1'), [CDR]],
        [origin('d', '1.1'), [CDR]],
      ]),
    ).toEqual(['c against a: encoding']);
  });

  it('finds each recording that differs from its own version, however often the two alternate', () => {
    expect(
      changesOf([
        [origin('a', '1.0'), [form()]],
        [origin('b', '1.0'), [CDR]],
        [origin('c', '1.0'), [form()]],
        [origin('d', '1.0'), [CDR]],
      ]),
    ).toEqual(['b against a: encoding, unversioned', 'd against a: encoding, unversioned']);
  });

  it('says once for each vehicle what its update changed, and nothing of vehicles that run two versions side by side', () => {
    const second = { vehicleId: 'truck-2' };
    expect(
      changesOf([
        [origin('a', '1.0'), [form()]],
        [origin('b', '1.0', second), [form()]],
        [origin('c', '1.1'), [CDR]],
        [origin('d', '1.0', second), [form()]],
        [origin('e', '1.1'), [CDR]],
        [origin('f', '1.1', second), [CDR]],
        [origin('g', '1.0'), [form()]],
      ]),
    ).toEqual(['c against a: encoding', 'f against a: encoding']);
  });

  it('compares vehicles of one hardware revision and software, and no others', () => {
    const first = [origin('a', '1.0'), [form()]] as const;
    expect(changesOf([first, [origin('b', '1.0', { vehicleId: 'truck-2' }), [CDR]]])).toHaveLength(1);
    for (const change of [{ hardwareRevision: 'C' }, { softwareName: 'other' }, { generator: 'carla' }])
      expect(changesOf([first, [origin('b', '1.0', { vehicleId: 'truck-2', ...change }), [CDR]]])).toEqual([]);
    const unknown = { hardwareRevision: 'unknown' };
    expect(
      changesOf([
        [origin('a', '1.0', unknown), [form()]],
        [origin('b', '1.0', { ...unknown, vehicleId: 'truck-2' }), [CDR]],
        [origin('c', '1.0', unknown), [CDR]],
      ]),
    ).toEqual(['c against a: encoding, unversioned']);
  });

  it('says of unknown software once what changed, and does not call it undeclared', () => {
    expect(
      changesOf([
        [origin('a', 'unknown'), [form()]],
        [origin('b', 'unknown'), [CDR]],
        [origin('c', 'unknown'), [form()]],
        [origin('d', 'unknown'), [CDR]],
      ]),
    ).toEqual(['b against a: encoding']);
  });
});
