/** Why: facts about one vehicle itself, as part of the fleet's story. */
import type { Digest, NewFact } from '@fleetloop/schemas';

/** Keys, a pull and a loss of one vehicle. */
export function lifeOfVehicle(story: {
  readonly digest: (text: string) => Digest;
  readonly at: string;
  readonly campaign: string;
}): NewFact[] {
  const { digest, at, campaign } = story;
  const request = {
    id: 'pl-1',
    fromNs: '1790000000000000001',
    toNs: '1790000000000000009',
    priority: 'normal',
    requestedBy: 'ops',
    reason: 'a driver called',
  } as const;
  const of = { pullId: 'pl-1', vehicleId: 'v-2' };
  return [
    {
      kind: 'vehicle.renewed',
      key: 'v-2',
      actor: 'ops',
      body: { vehicleId: 'v-2', publicKey: 'UKEY2', expiresAt: at },
    },
    {
      kind: 'recording.evicted',
      key: 'e-1',
      actor: 'ingest',
      body: {
        vehicleId: 'v-2',
        eventId: 'ev-lost',
        recording: digest('lost'),
        sizeBytes: 7,
        priority: 'bulk',
        session: 'drive-lost',
        campaigns: [campaign],
        startNs: '1',
        endNs: '2',
        code: 'SPOOL_FULL',
        reason: 'the quota took it',
        lostAt: at,
        tombstone: digest('tombstone'),
      },
    },
    { kind: 'pull.requested', key: 'pl-1', actor: 'ops', body: { ...of, request } },
    { kind: 'pull.finished', key: 'pl-1', actor: 'api', body: { ...of, state: 'unavailable', eventIds: [] } },
    { kind: 'pull.cancelled', key: 'pl-1', actor: 'ops', body: { ...of, reason: 'no longer needed' } },
    {
      kind: 'vehicle.revoked',
      key: 'v-2',
      actor: 'ops',
      body: { vehicleId: 'v-2', publicKey: 'UKEY2', reason: 'sold' },
    },
  ];
}
