/** Field names end up in the protobuf schema of every recording, so they must be stable and unique. */
import { describe, expect, it } from 'vitest';
import { fieldNames, isSignalTopic } from './topic.ts';

describe('fieldNames', () => {
  it('names what follows the branch of the topic', () => {
    expect(fieldNames('/vss/Vehicle.Acceleration', ['Vehicle.Acceleration.Longitudinal'])).toEqual(['longitudinal']);
    expect(fieldNames('/vss/Vehicle.Chassis.Axle', ['Vehicle.Chassis.Axle.Row1.Wheel.Left.Speed'])).toEqual([
      'row1_wheel_left_speed',
    ]);
    expect(fieldNames('/vss/Vehicle.Powertrain.CombustionEngine', ['Vehicle.Powertrain.CombustionEngine.TPS'])).toEqual(
      ['tps'],
    );
    expect(fieldNames('/vss/Vehicle', ['Vehicle.Speed'])).toEqual(['speed']);
  });

  it('names what follows the shared branch below /sensor/', () => {
    const paths = ['Vehicle.ADAS.Radar.Target.Lateral', 'Vehicle.ADAS.Radar.Target.RelativeSpeed'];
    expect(fieldNames('/sensor/front/radar', paths)).toEqual(['lateral', 'relative_speed']);
    expect(fieldNames('/sensor/front/speed', ['Vehicle.Speed'])).toEqual(['speed']);
    expect(fieldNames('/sensor/front/mixed', ['Vehicle.Speed', 'Vehicle.Orientation.Roll'])).toEqual([
      'speed',
      'orientation_roll',
    ]);
  });

  it('refuses a path that is not below the branch', () => {
    expect(() => fieldNames('/vss/Vehicle.Acceleration', ['Vehicle.Speed'])).toThrow(
      expect.objectContaining({ code: 'MAPPING_INVALID' }),
    );
    expect(() => fieldNames('/vss/Vehicle.Speed', ['Vehicle.Speed'])).toThrow(
      expect.objectContaining({ code: 'MAPPING_INVALID' }),
    );
  });
});

describe('isSignalTopic', () => {
  it.each([
    ['/vss/Vehicle', true],
    ['/vss/Vehicle.Acceleration', true],
    ['/sensor/front/radar', true],
    ['/vss/Speed', false],
    ['/vss/Vehicle.', false],
    ['/sensor/front', false],
    ['/can/0/raw', false],
    ['vss/Vehicle', false],
  ])('%s: %s', (topic, expected) => {
    expect(isSignalTopic(topic)).toBe(expected);
  });
});
