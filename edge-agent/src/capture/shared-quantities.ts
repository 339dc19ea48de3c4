/** Quantities that more than one channel of a vehicle measures, as VSS names them: what the alignment of two clocks can be read from. */

export type QuantityRole = {
  readonly quantity: string;
  /** `rate`: the quantity is the derivative of the signal, e.g. the yaw rate of a heading. */
  readonly use: 'value' | 'rate';
  /** An angle that jumps from 360 to 0. */
  readonly isAngle: boolean;
};

const value = (quantity: string): QuantityRole => ({ quantity, use: 'value', isAngle: false });
const rate = (quantity: string, isAngle = false): QuantityRole => ({ quantity, use: 'rate', isAngle });

const WHEELS = ['Row1.Wheel.Left', 'Row1.Wheel.Right', 'Row2.Wheel.Left', 'Row2.Wheel.Right'];

/** Roles by VSS path. Units are the catalogue's; only the shape in time is compared, so a factor between two does no harm. */
export const SHARED_QUANTITIES: ReadonlyMap<string, readonly QuantityRole[]> = new Map([
  ['Vehicle.Speed', [value('speed'), rate('longitudinal acceleration')]],
  ['Vehicle.CurrentLocation.GNSSReceiver.Speed', [value('speed'), rate('longitudinal acceleration')]],
  ...WHEELS.map((wheel): [string, readonly QuantityRole[]] => [
    `Vehicle.Chassis.Axle.${wheel}.Speed`,
    [value('speed')],
  ]),
  ['Vehicle.Acceleration.Longitudinal', [value('longitudinal acceleration')]],
  ['Vehicle.AngularVelocity.Yaw', [value('yaw rate')]],
  ['Vehicle.Orientation.Yaw', [rate('yaw rate', true)]],
  ['Vehicle.CurrentLocation.Heading', [rate('yaw rate', true)]],
]);
