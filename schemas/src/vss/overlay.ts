/**
 * Signals that our sources measure and VSS has no leaf for, written the way a VSS overlay would add them: below the branch they
 * belong to, with a unit key of the catalogue. A path moves out of here when the catalogue gains it.
 */

/** Path, unit key and reason of one overlay leaf. */
export type OverlaySignal = {
  readonly path: string;
  readonly unit: string;
  readonly meaning: string;
};

/** All overlay leaves. */
export const OVERLAY_SIGNALS: readonly OverlaySignal[] = [
  {
    path: 'Vehicle.Powertrain.ElectricMotor.Left.Current',
    unit: 'A',
    meaning: 'current of the motor that drives the left side; VSS motors have torque and power only',
  },
  {
    path: 'Vehicle.Powertrain.ElectricMotor.Right.Current',
    unit: 'A',
    meaning: 'current of the motor that drives the right side',
  },
  {
    path: 'Vehicle.Acceleration.Gravity.X',
    unit: 'm/s^2',
    meaning: "gravity part along the x axis of the recorder, as the recorder's own filter estimates it",
  },
  { path: 'Vehicle.Acceleration.Gravity.Y', unit: 'm/s^2', meaning: 'gravity part along the y axis of the recorder' },
  { path: 'Vehicle.Acceleration.Gravity.Z', unit: 'm/s^2', meaning: 'gravity part along the z axis of the recorder' },
  {
    path: 'Vehicle.Orientation.GyroHeading',
    unit: 'degrees',
    meaning: 'heading from the gyroscope alone, 0 to 360, not aligned with north',
  },
  {
    path: 'Vehicle.CurrentLocation.GNSSReceiver.Fix',
    unit: '',
    meaning: 'kind of fix as a number (0 none, 1 time, 2 plane, 3 space); the VSS leaf FixType is a text',
  },
  { path: 'Vehicle.CurrentLocation.GNSSReceiver.Satellites', unit: '', meaning: 'satellites used for the fix' },
  {
    path: 'Vehicle.CurrentLocation.GNSSReceiver.DilutionPosition',
    unit: '',
    meaning: 'position dilution of precision',
  },
  {
    path: 'Vehicle.CurrentLocation.GNSSReceiver.DilutionHorizontal',
    unit: '',
    meaning: 'horizontal dilution of precision',
  },
  {
    path: 'Vehicle.CurrentLocation.GNSSReceiver.DilutionVertical',
    unit: '',
    meaning: 'vertical dilution of precision',
  },
  {
    path: 'Vehicle.CurrentLocation.GNSSReceiver.Speed',
    unit: 'km/h',
    meaning: 'speed over ground from the GNSS receiver',
  },
  {
    path: 'Vehicle.CurrentLocation.SecondReceiver.Latitude',
    unit: 'degrees',
    meaning: 'latitude from a second GNSS receiver in the same vehicle',
  },
  {
    path: 'Vehicle.CurrentLocation.SecondReceiver.Longitude',
    unit: 'degrees',
    meaning: 'longitude from the second receiver',
  },
  { path: 'Vehicle.CurrentLocation.SecondReceiver.Altitude', unit: 'm', meaning: 'altitude from the second receiver' },
  {
    path: 'Vehicle.CurrentLocation.SecondReceiver.Heading',
    unit: 'degrees',
    meaning: 'heading from the second receiver',
  },
  { path: 'Vehicle.CurrentLocation.SecondReceiver.Speed', unit: 'km/h', meaning: 'speed from the second receiver' },
  {
    path: 'Vehicle.MagneticField.Longitudinal',
    unit: '',
    meaning: 'magnetometer, forward axis; the source names no unit',
  },
  { path: 'Vehicle.MagneticField.Lateral', unit: '', meaning: 'magnetometer, side axis; the source names no unit' },
  {
    path: 'Vehicle.MagneticField.Vertical',
    unit: '',
    meaning: 'magnetometer, vertical axis; the source names no unit',
  },
  { path: 'Vehicle.Chassis.SteeringWheel.AngleRate', unit: 'degrees/s', meaning: 'turning rate of the steering wheel' },
  {
    path: 'Vehicle.Chassis.Brake.IsPressed',
    unit: '',
    meaning: '1 while the brake pedal switch is closed, 0 otherwise',
  },
  { path: 'Vehicle.ADAS.Radar.Target.Longitudinal', unit: 'm', meaning: 'forward distance of one radar target' },
  { path: 'Vehicle.ADAS.Radar.Target.Lateral', unit: 'm', meaning: 'distance of one radar target to the left' },
  {
    path: 'Vehicle.ADAS.Radar.Target.RelativeSpeed',
    unit: 'km/h',
    meaning: 'speed of one radar target relative to the vehicle',
  },
  {
    path: 'Vehicle.ADAS.Radar.Target.Address',
    unit: '',
    meaning: 'CAN id that reported the target, which tells its track slot',
  },
  {
    path: 'Vehicle.ADAS.Radar.Target.IsNew',
    unit: '',
    meaning: '1 when the track slot holds another target than before',
  },
];
