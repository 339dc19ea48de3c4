/** Whether a position lies inside a declared area. Near enough for areas of a town or a region: the earth is a ball, sides are straight on the map. */
import type { GeofenceInput } from '../campaign/campaign-inputs.ts';

const EARTH_RADIUS_M = 6_371_008.8;
const RADIANS_PER_DEGREE = Math.PI / 180;
const FULL_TURN = 360;
const HALF_TURN = 180;

export type Area = (latitude: number, longitude: number) => boolean;

export function makeArea({ polygon, circle }: Pick<GeofenceInput, 'polygon' | 'circle'>): Area {
  if (circle !== undefined) {
    const { latitude, longitude, radiusM } = circle;
    return (lat, lon) => distanceM(lat, lon, latitude, longitude) <= radiusM;
  }
  const vertices = polygon ?? [];
  // Longitudes are counted from the first vertex, so that an area may lie across the 180th meridian.
  const origin = vertices[0]?.longitude ?? 0;
  const latitudes = Float64Array.from(vertices, (vertex) => vertex.latitude);
  const longitudes = Float64Array.from(vertices, (vertex) => turn(vertex.longitude - origin));
  return (lat, lon) => isInside(lat, turn(lon - origin), latitudes, longitudes);
}

/** Crossings of a ray along the parallel: inside when they are odd. */
function isInside(lat: number, lon: number, latitudes: Float64Array, longitudes: Float64Array): boolean {
  let inside = false;
  for (let index = 0, former = latitudes.length - 1; index < latitudes.length; former = index, index += 1) {
    const [latA, latB] = [latitudes[index] as number, latitudes[former] as number];
    if (latA > lat === latB > lat) continue;
    const [lonA, lonB] = [longitudes[index] as number, longitudes[former] as number];
    if (lon < lonA + ((lat - latA) / (latB - latA)) * (lonB - lonA)) inside = !inside;
  }
  return inside;
}

/** Haversine distance on the mean sphere. */
function distanceM(latA: number, lonA: number, latB: number, lonB: number): number {
  const north = Math.sin(((latB - latA) * RADIANS_PER_DEGREE) / 2);
  const east = Math.sin(((lonB - lonA) * RADIANS_PER_DEGREE) / 2);
  const narrowing = Math.cos(latA * RADIANS_PER_DEGREE) * Math.cos(latB * RADIANS_PER_DEGREE);
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(north * north + narrowing * east * east)));
}

/** A difference of longitudes in [-180, 180). */
function turn(degrees: number): number {
  return ((((degrees + HALF_TURN) % FULL_TURN) + FULL_TURN) % FULL_TURN) - HALF_TURN;
}
