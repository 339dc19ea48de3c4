/** Enrols a vehicle: one fact in the ledger, and a JWT that limits the vehicle to its own subjects. */
import { FleetError, type FactBody, parseVehicleId, vehiclePermissions } from '@fleetloop/schemas';
import { appendOnce, lastEntryOf } from '../ingest/facts.ts';
import type { Ledger } from '../ports.ts';
import { issueVehicleUser } from './credentials.ts';

export type Enrolment = FactBody<'vehicle.enrolled'>;
export type Enrolled = { readonly jwt: string; readonly sequence: number; readonly isNew: boolean };

/**
 * Enrols, or issues the JWT again for the same key.
 * @throws FleetError REQUEST_INVALID for a key that is not a user nkey, FORBIDDEN for another key than the enrolled one
 */
export async function enrolVehicle(
  enrolment: Enrolment,
  actor: string,
  parts: { readonly ledger: Ledger; readonly accountSeed: string },
): Promise<Enrolled> {
  const vehicleId = parseVehicleId(enrolment.vehicleId);
  // Before the fact: a key that cannot be signed for must not be enrolled.
  const jwt = await issueVehicleUser({
    vehicleId,
    publicKey: enrolment.publicKey,
    accountSeed: parts.accountSeed,
    permissions: vehiclePermissions(vehicleId),
  });
  const { sequence, isNew } = await appendOnce(parts.ledger, [
    { kind: 'vehicle.enrolled', key: vehicleId, actor, body: enrolment },
  ]);
  if (!isNew) await checkSameKey(parts.ledger, enrolment);
  return { jwt, sequence, isNew };
}

async function checkSameKey(ledger: Ledger, enrolment: Enrolment): Promise<void> {
  const stored = await lastEntryOf(ledger, `vehicle.${enrolment.vehicleId}`);
  if (stored?.entry.kind === 'vehicle.enrolled' && stored.entry.body.publicKey === enrolment.publicKey) return;
  throw new FleetError(
    'FORBIDDEN',
    `vehicle ${enrolment.vehicleId} is enrolled with another key: use its own key or another id`,
  );
}
