/** A change of form is found whatever other topics do, and a topic that was not captured is no change. */
import { describe, expect, it } from 'vitest';
import { compareForms, findSchemaChanges, type TopicForm } from './schema-drift.ts';

const form = (change: Partial<TopicForm> = {}): TopicForm => ({
  topic: '/imu',
  encoding: 'json',
  schemaName: 'imu',
  fields: [
    { name: 'accel_x', unit: 'g' },
    { name: 'accel_y', unit: 'g' },
  ],
  rateHz: 100,
  ...change,
});

describe('compareForms', () => {
  it('says nothing of equal forms, of rates that are nearly the same, and of topics that one lacks', () => {
    expect(compareForms([form()], [form({ rateHz: 90 })])).toEqual([]);
    expect(compareForms([form()], [form({ topic: '/gps' })])).toEqual([]);
    expect(compareForms([form()], [form({ rateHz: undefined })])).toEqual([]);
  });

  it.each([
    ['encoding', { encoding: 'cdr' }, { before: 'json', after: 'cdr' }],
    ['schema', { schemaName: 'imu2' }, { before: 'imu', after: 'imu2' }],
    [
      'unit',
      {
        fields: [
          { name: 'accel_x', unit: 'm/s^2' },
          { name: 'accel_y', unit: 'g' },
        ],
      },
      { field: 'accel_x', before: 'g', after: 'm/s^2' },
    ],
    ['field removed', { fields: [{ name: 'accel_x', unit: 'g' }] }, { field: 'accel_y' }],
    ['rate', { rateHz: 50 }, { before: '100 Hz', after: '50.0 Hz' }],
  ] as const)('names a change of %s', (what, change, expected) => {
    expect(compareForms([form()], [form(change)])).toEqual([
      expect.objectContaining({ topic: '/imu', what, ...expected }),
    ]);
  });
});

describe('findSchemaChanges', () => {
  const recording = (startNs: bigint, softwareVersion: string, topics: readonly TopicForm[], vehicle = 'truck-1') => ({
    vehicle,
    softwareVersion,
    startNs,
    topics,
  });

  it('holds each topic against the last time that the same vehicle sent it', () => {
    const first = recording(1n, '1.0', [form()]);
    const without = recording(2n, '1.0', []);
    const later = recording(3n, '1.1', [form({ encoding: 'cdr' })]);
    const [only, ...rest] = findSchemaChanges([later, first, without]);
    expect(rest).toEqual([]);
    expect(only?.former).toBe(first);
    expect(only?.later).toBe(later);
    expect(only?.changes.map(({ what }) => what)).toEqual(['encoding']);
  });

  it('does not compare vehicles', () => {
    const other = recording(2n, '1.0', [form({ encoding: 'cdr' })], 'truck-2');
    expect(findSchemaChanges([recording(1n, '1.0', [form()]), other])).toEqual([]);
  });
});
