/** Why: which VSS paths take part in the physics of motion, and in which SI unit. */

export type MotionRole =
  | { readonly kind: 'speed'; readonly side?: 'left' | 'right'; readonly isPrimary: boolean }
  | { readonly kind: 'acceleration' | 'gyro'; readonly axis: 0 | 1 | 2 }
  | { readonly kind: 'heading' | 'latitude' | 'longitude' | 'distance' };

const WHEEL = /^Vehicle\.Chassis\.Axle\.Row\d\.Wheel\.(Left|Right)\.Speed$/;
const AXES: Readonly<Record<string, MotionRole>> = {
  'Vehicle.Acceleration.Longitudinal': { kind: 'acceleration', axis: 0 },
  'Vehicle.Acceleration.Lateral': { kind: 'acceleration', axis: 1 },
  'Vehicle.Acceleration.Vertical': { kind: 'acceleration', axis: 2 },
  'Vehicle.AngularVelocity.Roll': { kind: 'gyro', axis: 0 },
  'Vehicle.AngularVelocity.Pitch': { kind: 'gyro', axis: 1 },
  'Vehicle.AngularVelocity.Yaw': { kind: 'gyro', axis: 2 },
  'Vehicle.Speed': { kind: 'speed', isPrimary: true },
  'Vehicle.CurrentLocation.GNSSReceiver.Speed': { kind: 'speed', isPrimary: false },
  'Vehicle.CurrentLocation.SecondReceiver.Speed': { kind: 'speed', isPrimary: false },
  'Vehicle.CurrentLocation.Heading': { kind: 'heading' },
  'Vehicle.CurrentLocation.SecondReceiver.Heading': { kind: 'heading' },
  'Vehicle.CurrentLocation.Latitude': { kind: 'latitude' },
  'Vehicle.CurrentLocation.Longitude': { kind: 'longitude' },
  'Vehicle.CurrentLocation.SecondReceiver.Latitude': { kind: 'latitude' },
  'Vehicle.CurrentLocation.SecondReceiver.Longitude': { kind: 'longitude' },
  'Vehicle.TraveledDistanceSinceStart': { kind: 'distance' },
  'Vehicle.TraveledDistance': { kind: 'distance' },
};

export function motionRoleOf(path: string | undefined): MotionRole | undefined {
  if (path === undefined) return undefined;
  const wheel = WHEEL.exec(path)?.[1];
  if (wheel !== undefined) return { kind: 'speed', side: wheel === 'Left' ? 'left' : 'right', isPrimary: false };
  return Object.hasOwn(AXES, path) ? AXES[path] : undefined;
}

/** From the catalogue's unit to the one of the rules: m/s for speed; the others are m/s², degrees, degrees/s and m already. */
export function toRuleUnit({ kind }: MotionRole, value: number): number {
  return kind === 'speed' ? value / 3.6 : value;
}
