/** How fine the stamps of a source are: the one thing about its clock that the stamps themselves can show. */
import type { SourceMessage } from '@fleetloop/schemas';

const RESOLUTION_NS_MAX = 1_000_000_000n;

/** The largest power of ten, up to one second, that divides all stamps, ns; 1 when there are none. */
export function stampResolutionNs(messages: Iterable<SourceMessage>): bigint {
  let resolutionNs = RESOLUTION_NS_MAX;
  let isEmpty = true;
  for (const { logTimeNs } of messages) {
    isEmpty = false;
    while (resolutionNs > 1n && logTimeNs % resolutionNs !== 0n) resolutionNs /= 10n;
    if (resolutionNs === 1n) break;
  }
  return isEmpty ? 1n : resolutionNs;
}
