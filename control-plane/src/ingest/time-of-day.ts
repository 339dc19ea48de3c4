/** The part of the day in which a drive began, from where the sun stood there and then. */
import {
  type Channel,
  type RecordingMetadata,
  type SignalChannel,
  type SourceMessage,
  TIMES_OF_DAY,
  type TimeOfDay,
} from '@fleetloop/schemas';
import { getPosition } from 'suncalc';

/** Apparent height at which the upper rim of the sun touches the horizon, degrees. */
const SUNRISE_DEGREES = -0.833;
/** Below this it is dark: the end of civil twilight, degrees. */
const NIGHT_DEGREES = -6;
/** A stamp before the year 2000 counts from something else than the Unix epoch. */
const UTC_NS_MIN = 946_684_800_000_000_000n;
/** The sun moves a quarter of a degree in a minute: a clock that may be off by more tells nothing. */
const CLOCK_UNCERTAINTY_NS_MAX = 600_000_000_000n;
const NS_PER_MS = 1_000_000n;
const LATITUDE = 'Vehicle.CurrentLocation.Latitude';
const LONGITUDE = 'Vehicle.CurrentLocation.Longitude';

/** Where and when a recording was first located. */
export type Sighting = { readonly latitude: number; readonly longitude: number; readonly timeNs: bigint };

/** Looks for the first valid position among messages; after that it costs nothing. */
export class PositionSighting {
  #found: Sighting | undefined;
  readonly #columns = new Map<Channel, readonly [number, number] | undefined>();

  get found(): Sighting | undefined {
    return this.#found;
  }

  push(message: SourceMessage): void {
    if (this.#found !== undefined || message.kind !== 'signal') return;
    const columns = this.#columnsOf(message.channel);
    if (columns === undefined) return;
    const [latitude = Number.NaN, longitude = Number.NaN] = columns.map((column) => message.values[column]);
    if (isPosition(latitude, longitude)) this.#found = { latitude, longitude, timeNs: message.logTimeNs };
  }

  #columnsOf(channel: SignalChannel): readonly [number, number] | undefined {
    if (this.#columns.has(channel)) return this.#columns.get(channel);
    const column = (path: string): number => channel.signals.findIndex((signal) => signal.path === path);
    const columns = [column(LATITUDE), column(LONGITUDE)] as const;
    const known = columns.includes(-1) ? undefined : columns;
    this.#columns.set(channel, known);
    return known;
  }
}

/** By the sun where a position and UTC are known, else as the session declares it; undefined where nothing tells. */
export function timeOfDayOf(metadata: RecordingMetadata, sighting: Sighting | undefined): TimeOfDay | undefined {
  return bySun(metadata, sighting) ?? declared(metadata.session.attributes);
}

function bySun({ clock }: RecordingMetadata, sighting: Sighting | undefined): TimeOfDay | undefined {
  if (sighting === undefined || sighting.timeNs < UTC_NS_MIN) return undefined;
  if (BigInt(clock.uncertaintyNs) > CLOCK_UNCERTAINTY_NS_MAX) return undefined;
  const at = new Date(Number(sighting.timeNs / NS_PER_MS));
  // Past the year 275760 there is no date.
  if (Number.isNaN(at.getTime())) return undefined;
  const { altitude } = getPosition(at, sighting.latitude, sighting.longitude);
  const part = altitude > SUNRISE_DEGREES ? 'day' : altitude > NIGHT_DEGREES ? 'twilight' : 'night';
  return { part, sunElevationDegrees: Math.round(altitude * 10) / 10, basis: 'gnss' };
}

function declared(attributes: Readonly<Record<string, string>>): TimeOfDay | undefined {
  const text = (attributes['timeOfDay'] ?? '').toLowerCase();
  const part = TIMES_OF_DAY.find((known) => known === text);
  return part === undefined ? undefined : { part, basis: 'attributes' };
}

/** Receivers without a fix often say 0, 0, which is in the Atlantic. */
function isPosition(latitude: number, longitude: number): boolean {
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 && !(latitude === 0 && longitude === 0);
}
