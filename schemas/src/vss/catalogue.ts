/**
 * The VSS signals that fleetloop's mappings use, with the unit and the range of the COVESA catalogue (release of June 2026).
 * Instances are written out (`Axle.Row1.Wheel.Left`). Signals that VSS lacks are in the overlay beside this file.
 */
import { OVERLAY_SIGNALS } from './overlay.ts';

/** What the catalogue says of one leaf. Messages carry every number as a double, so the datatype says only what to expect. */
export type CatalogueSignal = {
  readonly path: string;
  /** Unit key of the VSS catalogue; empty for counts and categories. */
  readonly unit: string;
};

const ROWS: readonly (readonly [path: string, unit: string])[] = [
  ['Vehicle.Speed', 'km/h'],
  ['Vehicle.TraveledDistanceSinceStart', 'm'],
  ['Vehicle.TripMeterReading', 'm'],
  ['Vehicle.Acceleration.Longitudinal', 'm/s^2'],
  ['Vehicle.Acceleration.Lateral', 'm/s^2'],
  ['Vehicle.Acceleration.Vertical', 'm/s^2'],
  ['Vehicle.AngularVelocity.Roll', 'degrees/s'],
  ['Vehicle.AngularVelocity.Pitch', 'degrees/s'],
  ['Vehicle.AngularVelocity.Yaw', 'degrees/s'],
  ['Vehicle.Orientation.Roll', 'degrees'],
  ['Vehicle.Orientation.Pitch', 'degrees'],
  ['Vehicle.Orientation.Yaw', 'degrees'],
  ['Vehicle.CurrentLocation.Latitude', 'degrees'],
  ['Vehicle.CurrentLocation.Longitude', 'degrees'],
  ['Vehicle.CurrentLocation.Heading', 'degrees'],
  ['Vehicle.CurrentLocation.Altitude', 'm'],
  ['Vehicle.Chassis.Accelerator.PedalPosition', 'percent'],
  ['Vehicle.Chassis.Brake.PedalPosition', 'percent'],
  ['Vehicle.Chassis.SteeringWheel.Angle', 'degrees'],
  ['Vehicle.Chassis.Axle.Row1.Wheel.Left.Speed', 'km/h'],
  ['Vehicle.Chassis.Axle.Row1.Wheel.Right.Speed', 'km/h'],
  ['Vehicle.Chassis.Axle.Row2.Wheel.Left.Speed', 'km/h'],
  ['Vehicle.Chassis.Axle.Row2.Wheel.Right.Speed', 'km/h'],
  ['Vehicle.Powertrain.CombustionEngine.Speed', 'rpm'],
  ['Vehicle.Powertrain.CombustionEngine.TPS', 'percent'],
  ['Vehicle.Powertrain.Transmission.CurrentGear', ''],
];

/** VSS leaves in use, in the order of the catalogue's branches. */
export const VSS_SIGNALS: readonly CatalogueSignal[] = ROWS.map(([path, unit]) => ({ path, unit }));

const BY_PATH: ReadonlyMap<string, CatalogueSignal> = new Map(
  [...VSS_SIGNALS, ...OVERLAY_SIGNALS].map((signal) => [signal.path, signal]),
);

/** The catalogue's or the overlay's entry of a path (exact case), or undefined. */
export function findSignal(path: string): CatalogueSignal | undefined {
  return BY_PATH.get(path);
}
