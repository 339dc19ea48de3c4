/** A mapping is written by people: each mistake must be refused with its place, never guessed around. */
import { describe, expect, it } from 'vitest';
import { parseMapping } from './mapping.ts';

const signal = { path: 'Vehicle.Speed', column: 'v', unit: 'm/s' };
const channel = { topic: '/vss/Vehicle', signals: [signal] };
const file = { name: 'a.csv', time: { column: 't', kind: 'seconds' }, channels: [channel] };
const mapping = { format: 'csv', session: { name: 's' }, files: [file] };

const withSignal = (change: object) => ({
  ...mapping,
  files: [{ ...file, channels: [{ ...channel, signals: [{ ...signal, ...change }] }] }],
});
const withChannel = (change: object) => ({ ...mapping, files: [{ ...file, channels: [{ ...channel, ...change }] }] });

describe('parseMapping', () => {
  it('fills defaults', () => {
    expect(parseMapping(mapping)).toMatchObject({
      session: { attributes: {} },
      files: [{ missing: [''], channels: [{ signals: [{ scale: 1, offset: 0 }] }] }],
    });
  });

  it.each([
    ['no mapping at all', null, 'mapping'],
    ['an unknown format', { ...mapping, format: 'xml' }, 'format'],
    ['an unknown key', { ...mapping, notes: 1 }, 'notes'],
    ['an unknown key of a signal', withSignal({ colunm: 'x' }), 'colunm'],
    ['a path that nobody knows', withSignal({ path: 'Vehicle.Spede' }), 'files.0.channels.0.signals.0.path'],
    ['a unit that nobody knows', withSignal({ unit: 'furlongs' }), 'signals.0.unit'],
    ['a scale that is not finite', withSignal({ scale: Number.NaN }), 'signals.0.scale'],
    ['a topic outside the grammar', withChannel({ topic: '/speed' }), 'channels.0.topic'],
    ['a rate of zero', withChannel({ rateHz: 0 }), 'channels.0.rateHz'],
    ['a channel without signals', withChannel({ signals: [] }), 'channels.0.signals'],
    ['no files', { ...mapping, files: [] }, 'files'],
    [
      'an epoch that is no time',
      { ...mapping, files: [{ ...file, time: { column: 't', kind: 'seconds', epoch: 'noon' } }] },
      'time.epoch',
    ],
    [
      'one path on two channels',
      { ...mapping, files: [{ ...file, channels: [channel, { ...channel, topic: '/sensor/front/speed' }] }] },
      'Vehicle.Speed',
    ],
    ['one topic for two channels', { ...mapping, files: [{ ...file, channels: [channel, channel] }] }, '/vss/Vehicle'],
  ])('refuses %s', (_what, value, place) => {
    expect(() => parseMapping(value)).toThrow(
      expect.objectContaining({ code: 'MAPPING_INVALID', message: expect.stringContaining(place) }),
    );
  });

  it('refuses a unit of another dimension than the path has', () => {
    expect(() => parseMapping(withSignal({ unit: 'g' }))).toThrow(expect.objectContaining({ code: 'UNIT_UNKNOWN' }));
  });
});
