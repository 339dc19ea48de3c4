/** Enrols a vehicle: one fact in the ledger, and a JWT that limits the vehicle to its own subjects. */
import { type FactBody, FleetError, parseVehicleId, vehiclePermissions } from '@fleetloop/schemas';
import { appendOnce, lastEntryOf } from '../ingest/facts.ts';
import { vehicleOf } from '../ingest/vehicle-registry.ts';
import type { Ledger } from '../ports.ts';
import { issueVehicleUser } from './credentials.ts';
import type { EnrolmentNotices } from './ports.ts';

const MS_PER_SECOND = 1_000;

export type Enrolment = Omit<FactBody<'vehicle.enrolled'>, 'expiresAt'>;
export type Enrolled = { readonly jwt: string; readonly sequence: number; readonly isNew: boolean };
export type EnrolmentParts = {
  readonly ledger: Ledger;
  readonly accountSeed: string;
  readonly enrolments: EnrolmentNotices;
};

/**
 * Enrols, or issues the JWT again for the same key.
 * @throws FleetError REQUEST_INVALID for a key that is not a user nkey, FORBIDDEN for another key than the enrolled one or a revoked one
 */
export async function enrolVehicle(
  enrolment: Enrolment & { readonly expiresInSeconds?: number | undefined },
  actor: string,
  parts: EnrolmentParts,
): Promise<Enrolled> {
  const { expiresInSeconds, ...body } = enrolment;
  const { vehicleId, publicKey } = body;
  const issued = await issueFor({ vehicleId, publicKey, expiresInSeconds }, parts.accountSeed);
  const { sequence, isNew } = await appendOnce(parts.ledger, [
    { kind: 'vehicle.enrolled', key: vehicleId, actor, body: { ...body, ...issued.expiry } },
  ]);
  if (!isNew) await checkSameKey(parts.ledger, body);
  await parts.enrolments.tell({ vehicleId, publicKey, isRevoked: false });
  return { jwt: issued.jwt, sequence, isNew };
}

/** Signs the JWT. Before the fact: a key that cannot be signed for must not be enrolled. */
export async function issueFor(
  vehicle: { readonly vehicleId: string; readonly publicKey: string; readonly expiresInSeconds?: number | undefined },
  accountSeed: string,
): Promise<{ readonly jwt: string; readonly expiry: { readonly expiresAt?: string } }> {
  const vehicleId = parseVehicleId(vehicle.vehicleId);
  const { publicKey, expiresInSeconds } = vehicle;
  const expiresAt =
    expiresInSeconds === undefined ? undefined : new Date(Date.now() + expiresInSeconds * MS_PER_SECOND);
  const jwt = await issueVehicleUser({
    vehicleId,
    publicKey,
    accountSeed,
    permissions: vehiclePermissions(vehicleId),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  });
  return { jwt, expiry: expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() } };
}

async function checkSameKey(ledger: Ledger, enrolment: Enrolment): Promise<void> {
  const stored = await lastEntryOf(ledger, `vehicle.${enrolment.vehicleId}`);
  const vehicle = stored === undefined ? undefined : vehicleOf(stored.entry);
  if (vehicle?.isRevoked === true)
    throw new FleetError('FORBIDDEN', `vehicle ${enrolment.vehicleId} was revoked: renew it with another key`);
  if (vehicle?.publicKey === enrolment.publicKey) return;
  throw new FleetError(
    'FORBIDDEN',
    `vehicle ${enrolment.vehicleId} is enrolled with another key: use its own key or another id`,
  );
}
