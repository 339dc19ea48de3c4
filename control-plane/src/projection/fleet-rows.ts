/** Why: the rows that facts about vehicles add: their keys, what they lost, and what was asked of them. */
import { assertNever, type FactBody, type LedgerEntry } from '@fleetloop/schemas';
import { row, type TableRow } from './tables.ts';

type EntryOf<Entity extends string> = Extract<LedgerEntry, { readonly kind: `${Entity}.${string}` }>;

export function vehicleRows(entry: EntryOf<'vehicle'>): readonly TableRow[] {
  const { vehicleId, publicKey } = entry.body;
  const key = { vehicle_id: vehicleId, public_key: publicKey };
  switch (entry.kind) {
    case 'vehicle.enrolled': {
      const { hardwareRevision, softwareVersion, place, expiresAt = null } = entry.body;
      const named = { hardware_revision: hardwareRevision, software_version: softwareVersion, expires_at: expiresAt };
      return [
        row('vehicles', { ...key, ...named, place }),
        row('vehicle_keys', { ...key, state: 'enrolled', expires_at: expiresAt, reason: null }),
      ];
    }
    case 'vehicle.renewed': {
      const { expiresAt = null } = entry.body;
      return [row('vehicle_keys', { ...key, state: 'enrolled', expires_at: expiresAt, reason: null })];
    }
    case 'vehicle.revoked':
      return [row('vehicle_keys', { ...key, state: 'revoked', expires_at: null, reason: entry.body.reason })];
    default:
      return assertNever(entry);
  }
}

export function lostRow(body: FactBody<'recording.evicted'>): TableRow {
  const { vehicleId, eventId, recording, sizeBytes, priority, session, campaigns, code, reason, lostAt } = body;
  return row('lost_recordings', {
    vehicle_id: vehicleId,
    event: eventId,
    recording,
    size_bytes: sizeBytes,
    priority,
    session,
    campaigns,
    start_ns: BigInt(body.startNs),
    end_ns: BigInt(body.endNs),
    code,
    reason,
    lost_at: lostAt,
  });
}

export function pullRow(entry: EntryOf<'pull'>): TableRow {
  const { pullId, vehicleId } = entry.body;
  const pull = { pull_id: pullId, vehicle_id: vehicleId };
  switch (entry.kind) {
    case 'pull.requested': {
      const { request } = entry.body;
      return row('pulls', { ...pull, state: 'requested', request, events: [], code: null, reason: request.reason });
    }
    case 'pull.cancelled':
      return row('pulls', {
        ...pull,
        state: 'cancelled',
        request: null,
        events: [],
        code: null,
        reason: entry.body.reason,
      });
    case 'pull.finished': {
      const { state, eventIds, code = null, reason = null } = entry.body;
      return row('pulls', { ...pull, state, request: null, events: eventIds, code, reason });
    }
    default:
      return assertNever(entry);
  }
}
