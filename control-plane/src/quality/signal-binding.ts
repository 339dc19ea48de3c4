/** Why: rules are about quantities, not names; this says which quantity a signal is and how it becomes the unit that the rules use. */
import { findSignal, isUnitName, type SignalDefinition, unitConversion } from '@fleetloop/schemas';
import type { Standard } from './standard.ts';
import { TWIST_SPEED } from './twist-speed.ts';

/** One number of a topic as the rules see it. */
export type BoundSignal = {
  readonly topic: string;
  /** Field name in the messages. */
  readonly name: string;
  /** VSS path, or undefined for a number that no rule knows. */
  readonly path: string | undefined;
  /** Unit as it is declared; empty where none is. */
  readonly unit: string;
  /** Factor and offset into the catalogue's unit; undefined while the unit is unknown. */
  readonly conversion: { readonly scale: number; readonly offset: number } | undefined;
  /** Whether the path was declared, and with it the directions of the axes; otherwise it was read from a field's name. */
  readonly isDeclared: boolean;
  /** Whether its axes are those of a right-handed frame: by declaration, or by the convention of a message type. */
  readonly isRightHanded: boolean;
};

/** A signal of one of our own channels, or of a mapping. */
export function bindDeclared(topic: string, { path, field, unit }: SignalDefinition): BoundSignal {
  const wanted = findSignal(path)?.unit;
  const isKnown = wanted !== undefined && isUnitName(unit) && isUnitName(wanted);
  let conversion: BoundSignal['conversion'];
  try {
    conversion = isKnown ? unitConversion(unit, wanted) : undefined;
  } catch {
    conversion = undefined;
  }
  return { topic, name: field, path, unit, conversion, isDeclared: true, isRightHanded: true };
}

const UNIT_WORDS: Readonly<Record<string, string>> = {
  mps2: 'm/s^2',
  ms2: 'm/s^2',
  g: 'g',
  radps: 'rad/s',
  rads: 'rad/s',
  dps: 'degrees/s',
  degps: 'degrees/s',
  mps: 'm/s',
  kmh: 'km/h',
  kph: 'km/h',
  kmph: 'km/h',
  mph: 'mph',
  deg: 'degrees',
  degrees: 'degrees',
  rad: 'rad',
  radians: 'rad',
  m: 'm',
  km: 'km',
  percent: 'percent',
  pct: 'percent',
};
const AXIS_WORDS: Readonly<Record<string, number>> = { x: 0, y: 1, z: 2, '0': 0, '1': 1, '2': 2 };
/** Message types of ROS fix their units (REP 103), whatever the names of their fields. */
const ROS_UNITS: Readonly<Record<string, string>> = {
  'Vehicle.Acceleration': 'm/s^2',
  'Vehicle.AngularVelocity': 'rad/s',
  'Vehicle.Speed': 'm/s',
};
const ROS_TYPE = /^[a-z_]+\/(?:msg\/)?[A-Z]/;
/** Fields of messages that hold one number: their topic says what it is. */
const BARE_NAMES: ReadonlySet<string> = new Set(['data', 'value']);

export type FieldOrigin = {
  readonly topic: string;
  readonly schemaName: string;
  /** Its first value. */
  readonly sample: number;
};

/** A field of a JSON or ROS message, by its last part: words, then perhaps a unit, then perhaps an axis, in any order at the end. */
export function bindField({ topic, schemaName, sample }: FieldOrigin, name: string, standard: Standard): BoundSignal {
  const isRos = ROS_TYPE.test(schemaName);
  const nothing = { path: undefined, unit: '', conversion: undefined };
  const unbound: BoundSignal = { topic, name, ...nothing, isDeclared: false, isRightHanded: isRos };
  if (name === TWIST_SPEED) return boundSpeed(unbound, isRos);
  const { words, unit, axis } = readName(BARE_NAMES.has(name) ? (topic.split('/').at(-1) ?? '') : name);
  const found = standard.fields.find(
    ({ names, axes }) => names.includes(words) && (axes === undefined) === (axis === undefined),
  );
  if (found === undefined) return unbound;
  const path = found.axes === undefined ? found.path : `${found.path}.${found.axes[axis as 0 | 1 | 2]}`;
  const fixed = fixedPointOf(found.unit, sample);
  if (fixed !== undefined) return { ...unbound, path, conversion: { scale: fixed, offset: 0 } };
  const known = unit ?? (ROS_TYPE.test(schemaName) ? ROS_UNITS[found.path] : undefined) ?? found.unit;
  return { ...unbound, path, unit: known ?? '', conversion: conversionOf(known, path) };
}

function boundSpeed(unbound: BoundSignal, isRos: boolean): BoundSignal {
  const path = 'Vehicle.Speed';
  const unit = isRos ? 'm/s' : undefined;
  return { ...unbound, path, unit: unit ?? '', conversion: conversionOf(unit, path) };
}

/** `accel_mps2.0` to acceleration, its unit and its first axis. Messages may nest their fields: the axis may be a part of its own. */
function readName(name: string): {
  readonly words: string;
  readonly unit: string | undefined;
  readonly axis: number | undefined;
} {
  const parts = name.split(/[.[\]]+/).filter((part) => part !== '');
  const last = parts.at(-1)?.toLowerCase() ?? '';
  const isAxis = parts.length > 1 && Object.hasOwn(AXIS_WORDS, last);
  const words = wordsOf(isAxis ? parts.slice(-2).join('_') : last === '' ? '' : (parts.at(-1) ?? ''));
  let unit: string | undefined;
  let axis: number | undefined;
  while (words.length > 1) {
    const word = words.at(-1) as string;
    if (axis === undefined && Object.hasOwn(AXIS_WORDS, word)) axis = AXIS_WORDS[word];
    else if (unit === undefined && Object.hasOwn(UNIT_WORDS, word)) unit = UNIT_WORDS[word];
    else break;
    words.pop();
  }
  return { words: words.join('_'), unit, axis };
}

/** Receivers give angles as whole numbers of 1e-7 degrees and heights in mm. */
function fixedPointOf(unit: string | undefined, sample: number): number | undefined {
  if (!Number.isInteger(sample)) return undefined;
  if (unit === 'degrees' && Math.abs(sample) > 100_000) return 1e-7;
  return unit === 'm' && Math.abs(sample) > 20_000 ? 1e-3 : undefined;
}

function conversionOf(unit: string | undefined, path: string): BoundSignal['conversion'] {
  if (unit === undefined) return undefined;
  const wanted = findSignal(path)?.unit ?? unit;
  try {
    return unitConversion(unit, wanted);
  } catch {
    return undefined;
  }
}

/** `accelUser.X`, `gps_lat`, `accel_mps2[0]` to lower-case words. */
function wordsOf(name: string): string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}
