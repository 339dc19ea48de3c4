/** The 50 signals that the figures of the edge agent are measured with, each on a channel of its own, so that an update is a message. */
import type { SignalChannel } from '@fleetloop/schemas';

export const SIGNAL_RATE_HZ = 100;

const WHEELS = ['Row1.Wheel.Left', 'Row1.Wheel.Right', 'Row2.Wheel.Left', 'Row2.Wheel.Right'] as const;
const WHEEL_LEAVES: readonly (readonly [leaf: string, unit: string])[] = [
  ['Speed', 'km/h'],
  ['AngularSpeed', 'degrees/s'],
  ['Torque', 'Nm'],
  ['Brake.FluidLevel', 'percent'],
  ['Brake.IsFluidLevelLow', ''],
  ['Brake.PadWear', 'percent'],
  ['Brake.IsBrakesWorn', ''],
  ['Tire.Pressure', 'kPa'],
  ['Tire.IsPressureLow', ''],
  ['Tire.Temperature', 'Celsius'],
  ['Tire.RubberTemperature', 'Celsius'],
  ['Tire.AirTemperature', 'Celsius'],
];

export const SIGNAL_CHANNELS: readonly SignalChannel[] = [
  ['Vehicle.Speed', 'km/h', 'body'] as const,
  ['Vehicle.TraveledDistance', 'm', 'body'] as const,
  ...WHEELS.flatMap((wheel) =>
    WHEEL_LEAVES.map(([leaf, unit]) => [`Vehicle.Chassis.Axle.${wheel}.${leaf}`, unit, wheel] as const),
  ),
].map(([path, unit, place]) => ({
  kind: 'signal',
  topic: `/sensor/${inTopic(place)}/${inTopic(path.replace(`Vehicle.Chassis.Axle.${place}.`, ''))}`,
  signals: [{ path, field: 'value', unit }],
  rateHz: SIGNAL_RATE_HZ,
}));

function inTopic(name: string): string {
  return name.toLowerCase().replaceAll('.', '_');
}
