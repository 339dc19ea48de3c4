/** How fine the stamps of a source are: the one thing about its clock that the stamps themselves can show. */
import { type TimeBase, timeAt } from './message-record.ts';

const RESOLUTION_NS_MAX = 1_000_000_000;

/** The largest power of ten, up to one second, that divides all stamps, ns; 1 when there are none. */
export function stampResolutionNs(stamps: Iterable<Float64Array>, base: TimeBase): number {
  let resolutionNs = RESOLUTION_NS_MAX;
  let previous: number | undefined;
  let usual = 0;
  for (const times of stamps) {
    // By index: an iterator costs more than what is done here.
    for (let index = 0; index < times.length; index += 1) {
      const time = times[index] as number;
      if (previous === undefined) resolutionNs = resolutionOf(timeAt(base, time));
      // What divides one stamp and all distances between neighbours divides all stamps; most distances are the same.
      const distance = time - (previous ?? time);
      previous = time;
      if (distance === usual) continue;
      usual = distance;
      while (resolutionNs > 1 && distance % resolutionNs !== 0) resolutionNs /= 10;
      if (resolutionNs === 1) return 1;
    }
  }
  return previous === undefined ? 1 : resolutionNs;
}

function resolutionOf(ns: bigint): number {
  let resolutionNs = RESOLUTION_NS_MAX;
  while (resolutionNs > 1 && ns % BigInt(resolutionNs) !== 0n) resolutionNs /= 10;
  return resolutionNs;
}
