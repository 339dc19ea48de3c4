/** Ids of events, derived from what happened and not from when it was noticed: an event captured again after a crash is the same event. */
import { createHash } from 'node:crypto';
import { parseEventId, type EventId } from '@fleetloop/schemas';

const HEX_DIGITS = 24;

/** `ev-<24 hex>` of vehicle, session and the time that anchors the event, ns. */
export function eventIdOf(vehicleId: string, session: string, anchorNs: bigint): EventId {
  const hash = createHash('sha256')
    .update(JSON.stringify([vehicleId, session, anchorNs.toString()]))
    .digest('hex');
  return parseEventId(`ev-${hash.slice(0, HEX_DIGITS)}`);
}
