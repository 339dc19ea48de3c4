/** Units of sources and of the VSS catalogue, and exact-as-possible conversion between those of one dimension. */
import { FleetError } from '../errors/fleet-error.ts';

type Unit = {
  readonly dimension: string;
  /** value in the dimension's reference unit = value × scale + offset. */
  readonly scale: number;
  readonly offset: number;
};

const unit = (dimension: string, scale: number, offset = 0): Unit => ({ dimension, scale, offset });

/**
 * The reference of each dimension is the unit that VSS uses for it, so that a conversion into the catalogue rounds once.
 * `g` is standard gravity, 9.80665 m/s² exactly (the `g` of VSS is the gram, which no signal of ours has); a mile is 1609.344 m exactly.
 */
export const UNITS = {
  '': unit('none', 1),
  'm/s^2': unit('acceleration', 1),
  'cm/s^2': unit('acceleration', 0.01),
  g: unit('acceleration', 9.80665),
  'degrees/s': unit('angular velocity', 1),
  'rad/s': unit('angular velocity', 180 / Math.PI),
  degrees: unit('angle', 1),
  rad: unit('angle', 180 / Math.PI),
  'km/h': unit('speed', 1),
  'm/s': unit('speed', 3.6),
  mph: unit('speed', 1.609344),
  knots: unit('speed', 1.852),
  m: unit('length', 1),
  mm: unit('length', 0.001),
  cm: unit('length', 0.01),
  km: unit('length', 1000),
  mi: unit('length', 1609.344),
  rpm: unit('rotation', 1),
  percent: unit('share', 1),
  ratio: unit('share', 100),
  A: unit('current', 1),
  mA: unit('current', 0.001),
  V: unit('voltage', 1),
  Celsius: unit('temperature', 1),
  K: unit('temperature', 1, -273.15),
  Nm: unit('torque', 1),
  s: unit('time', 1),
  ms: unit('time', 0.001),
  us: unit('time', 1e-6),
  ns: unit('time', 1e-9),
  min: unit('time', 60),
  h: unit('time', 3_600),
  day: unit('time', 86_400),
  inch: unit('length', 0.0254),
  ft: unit('length', 0.3048),
  l: unit('volume', 1),
  ml: unit('volume', 0.001),
  'cm^3': unit('volume', 0.001),
  kg: unit('mass', 1),
  lbs: unit('mass', 0.453_592_37),
  'g/km': unit('mass per distance', 1),
  'g/s': unit('mass flow', 1),
  Fahrenheit: unit('temperature', 5 / 9, -160 / 9),
  W: unit('power', 1),
  kW: unit('power', 1_000),
  PS: unit('power', 735.498_75),
  Wh: unit('energy', 0.001),
  kWh: unit('energy', 1),
  Ah: unit('charge', 1),
  Pa: unit('pressure', 1),
  hPa: unit('pressure', 100),
  kPa: unit('pressure', 1_000),
  mbar: unit('pressure', 100),
  bar: unit('pressure', 100_000),
  psi: unit('pressure', 6_894.757_293_168),
  N: unit('force', 1),
  kN: unit('force', 1_000),
  Hz: unit('frequency', 1),
  cpm: unit('frequency', 1 / 60),
  bpm: unit('frequency', 1 / 60),
  'l/h': unit('volume flow', 1),
  'l/100km': unit('volume per distance', 1),
  'ml/100km': unit('volume per distance', 0.001),
  'km/l': unit('distance per volume', 1),
  'kWh/100km': unit('energy per distance', 1),
  'Wh/km': unit('energy per distance', 0.1),
  'mm/h': unit('precipitation', 1),
  mV: unit('voltage', 0.001),
  Ohm: unit('resistance', 1),
  lx: unit('illuminance', 1),
  dB: unit('level', 1),
  dBm: unit('power level', 1),
} as const satisfies Record<string, Unit>;

export type UnitName = keyof typeof UNITS;

/** value in the target unit = value × scale + offset. */
export type UnitConversion = { readonly scale: number; readonly offset: number };

/** Whether a text is a unit that we know. */
export function isUnitName(text: string): text is UnitName {
  return Object.hasOwn(UNITS, text);
}

/**
 * How to turn values of one unit into another; the identity is exactly `{scale: 1, offset: 0}`.
 * @throws FleetError `UNIT_UNKNOWN` for an unknown unit or two units of different dimensions.
 */
export function unitConversion(from: string, to: string): UnitConversion {
  if (!isUnitName(from) || !isUnitName(to)) {
    throw new FleetError(
      'UNIT_UNKNOWN',
      `unit "${isUnitName(from) ? to : from}" is not known; known are ${Object.keys(UNITS).join(' ')}`,
    );
  }
  if (from === to) return { scale: 1, offset: 0 };
  const source: Unit = UNITS[from];
  const target: Unit = UNITS[to];
  if (source.dimension !== target.dimension) {
    throw new FleetError(
      'UNIT_UNKNOWN',
      `"${from}" (${source.dimension}) cannot be converted into "${to}" (${target.dimension})`,
    );
  }
  return { scale: source.scale / target.scale, offset: (source.offset - target.offset) / target.scale };
}
