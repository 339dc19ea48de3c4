/** A form is what readers of a topic must know: the same for every recording of one software, whatever the values are. */
import type { OpaqueChannel } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { defaultStandard } from './default-standard.ts';
import { boundedForms, FORM_FIELDS_MAX, FORM_FIELDS_TOTAL_MAX, FormSampler, type TopicForm } from './topic-form.ts';

const CHANNEL: OpaqueChannel = {
  kind: 'opaque',
  topic: '/imu',
  schemaName: 'imu',
  encoding: { messageEncoding: 'json', schemaEncoding: '', schemaData: new Uint8Array(0) },
};

function sample(messages: readonly unknown[]): Omit<TopicForm, 'rateHz'> {
  const sampler = new FormSampler(CHANNEL);
  for (const message of messages) sampler.push(Buffer.from(JSON.stringify(message)));
  return sampler.form(defaultStandard());
}

describe('FormSampler', () => {
  it('names fields with type and unit, whatever the length of lists and the keys of maps', () => {
    const of = (count: number): unknown => ({
      accel_mps2: [1, 2, 3],
      gps: { fix: true, name: 'a', age: null },
      objects: Array.from({ length: count }, (_, index) => ({ id: index })),
      byId: { [String(count)]: 1 },
    });
    const form = sample([of(1), of(4)]);
    expect(form.fields).toEqual([
      { name: 'accel_mps2[]', type: 'number', unit: 'm/s^2' },
      { name: 'byId.*', type: 'number', unit: '' },
      { name: 'gps.age', type: '', unit: '' },
      { name: 'gps.fix', type: 'flag', unit: '' },
      { name: 'gps.name', type: 'text', unit: '' },
      { name: 'objects[].id', type: 'number', unit: '' },
    ]);
    expect(sample([of(3)]).fields).toEqual(form.fields);
  });

  it('finds a field that comes late, and the type of one that was null at first', () => {
    const messages = Array.from({ length: 64 }, (_, index) => (index < 40 ? { a: null } : { a: 1, b: 2 }));
    expect(sample(messages).fields.map(({ name, type }) => `${name} ${type}`)).toEqual(['a number', 'b number']);
    expect(sample(messages).sampled).toBe(16 + 2);
  });

  it('is bounded, and says so', () => {
    const wide = Object.fromEntries(Array.from({ length: 3 * FORM_FIELDS_MAX }, (_, index) => [`f${index}`, index]));
    expect(sample([wide])).toMatchObject({ isCut: true, fields: { length: FORM_FIELDS_MAX } });
    const deep = JSON.parse(`${'{"a":'.repeat(50)}1${'}'.repeat(50)}`) as unknown;
    expect(sample([deep]).fields).toEqual([]);
    expect(sample([]).fields).toEqual([]);
  });
});

describe('boundedForms', () => {
  it('keeps the same forms whatever their order, and counts the others', () => {
    const fields = Array.from({ length: 100 }, (_, index) => ({ name: `f${index}`, type: 'number', unit: '' }));
    const forms = Array.from({ length: 30 }, (_, index) => ({
      ...sample([]),
      topic: `/t${String(index).padStart(2, '0')}`,
      fields,
      rateHz: null,
    }));
    const { topics, omitted } = boundedForms(forms);
    expect(topics.length).toBe(Math.floor(FORM_FIELDS_TOTAL_MAX / 100));
    expect(omitted).toBe(30 - topics.length);
    expect(boundedForms(forms.toReversed())).toEqual({ topics, omitted });
    const long = { ...sample([]), topic: `/${'t'.repeat(1_000)}`, rateHz: null };
    expect(boundedForms([long])).toEqual({ topics: [], omitted: 1 });
  });
});
