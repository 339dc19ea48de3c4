/** Why: the part of the lineage that is about vehicles themselves: their keys, what was asked of them, and what they lost. */
import { assertNever, type LedgerEntry } from '@fleetloop/schemas';
import { edge, lineage, type Lineage, node, nodeId } from './lineage.ts';

export type FleetEntry = Extract<
  LedgerEntry,
  { readonly kind: `vehicle.${string}` | `pull.${string}` | 'recording.evicted' }
>;
type Find = (name: string) => string;

/** `find` gives the node that a name stood for. */
export function lineageOfFleet(entry: FleetEntry, find: Find): Lineage {
  const vehicle = nodeId.vehicle(entry.body.vehicleId);
  switch (entry.kind) {
    case 'vehicle.enrolled': {
      const { vehicleId, hardwareRevision, softwareVersion, place } = entry.body;
      return lineage([node('vehicle', vehicle, vehicleId, { hardwareRevision, softwareVersion, place })]);
    }
    case 'vehicle.renewed':
      return lineage([node('vehicle', vehicle, entry.body.vehicleId, { publicKey: entry.body.publicKey })]);
    case 'vehicle.revoked':
      return lineage([node('vehicle', vehicle, entry.body.vehicleId, { revoked: entry.body.reason })]);
    case 'recording.evicted': {
      const { vehicleId, eventId, campaigns, code, reason, sizeBytes, lostAt, session } = entry.body;
      const id = nodeId.lostRecording(vehicleId, eventId);
      const asked = campaigns.map((campaign) => edge(id, 'asked_for_by', find(`campaign:${campaign}`)));
      return lineage(
        [node('lost-recording', id, code, { reason, sizeBytes, lostAt, session })],
        [edge(id, 'recorded_by', vehicle), ...asked],
      );
    }
    case 'pull.requested': {
      const { pullId, request } = entry.body;
      const { fromNs, toNs, reason, requestedBy } = request;
      const id = nodeId.pull(pullId);
      return lineage([node('pull', id, 'requested', { fromNs, toNs, reason, requestedBy })], [edge(id, 'on', vehicle)]);
    }
    case 'pull.cancelled':
      return lineage([node('pull', nodeId.pull(entry.body.pullId), 'cancelled', { reason: entry.body.reason })]);
    case 'pull.finished': {
      const { pullId, state, eventIds, code, reason } = entry.body;
      return lineage([node('pull', nodeId.pull(pullId), state, { eventIds, code, reason })]);
    }
    default:
      return assertNever(entry);
  }
}
