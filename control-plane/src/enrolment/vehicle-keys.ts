/** Takes a vehicle's key away, or gives it another one; both are facts before they are anything else. */
import { FleetError } from '@fleetloop/schemas';
import { lastEntryOf } from '../ingest/facts.ts';
import type { EnrolledVehicle } from '../ingest/ports.ts';
import { vehicleOf } from '../ingest/vehicle-registry.ts';
import type { Ledger } from '../ports.ts';
import { type EnrolmentParts, issueFor } from './enrol-vehicle.ts';
import type { FleetAccount } from './ports.ts';

export type KeyParts = EnrolmentParts & { readonly account: FleetAccount };
export type RevokeRequest = { readonly vehicleId: string; readonly reason: string; readonly actor: string };
export type RenewRequest = {
  readonly vehicleId: string;
  /** Absent: the key that it has. */
  readonly publicKey?: string | undefined;
  readonly expiresInSeconds?: number | undefined;
  readonly actor: string;
};

/**
 * From now on nothing that the vehicle signs is taken. Revoking it again repeats what follows from the fact.
 * @returns whether its connection was cut as well
 * @throws FleetError NOT_FOUND
 */
export async function revokeVehicle(
  request: RevokeRequest,
  parts: KeyParts,
): Promise<{ readonly sequence: number; readonly isCut: boolean }> {
  const { vehicleId, reason, actor } = request;
  const { vehicle, sequence: former } = await standing(vehicleId, parts.ledger);
  const { publicKey } = vehicle;
  const sequence = vehicle.isRevoked
    ? former
    : await append(
        parts.ledger,
        { kind: 'vehicle.revoked', key: vehicleId, actor, body: { vehicleId, publicKey, reason } },
        former,
      );
  await parts.enrolments.tell({ ...vehicle, isRevoked: true });
  return { sequence, isCut: await parts.account.cutOff(publicKey) };
}

/**
 * Issues a new JWT. A former key that is replaced is cut off.
 * @throws FleetError NOT_FOUND, REQUEST_INVALID, FORBIDDEN when the key that it would keep was revoked
 */
export async function renewVehicle(
  request: RenewRequest,
  parts: KeyParts,
): Promise<{ readonly jwt: string; readonly sequence: number }> {
  const { vehicleId, actor, expiresInSeconds } = request;
  const { vehicle, sequence: former } = await standing(vehicleId, parts.ledger);
  const { publicKey = vehicle.publicKey } = request;
  const isSameKey = publicKey === vehicle.publicKey;
  if (vehicle.isRevoked && isSameKey)
    throw new FleetError('FORBIDDEN', `the key of vehicle ${vehicleId} was revoked: make another one and send it`);
  const { jwt, expiry } = await issueFor({ vehicleId, publicKey, expiresInSeconds }, parts.accountSeed);
  const body = { vehicleId, publicKey, ...expiry };
  const sequence = await append(parts.ledger, { kind: 'vehicle.renewed', key: vehicleId, actor, body }, former);
  await parts.enrolments.tell({ vehicleId, publicKey, isRevoked: false });
  if (!isSameKey) await parts.account.cutOff(vehicle.publicKey);
  return { jwt, sequence };
}

async function standing(
  vehicleId: string,
  ledger: Ledger,
): Promise<{ readonly vehicle: EnrolledVehicle; readonly sequence: number }> {
  const stored = await lastEntryOf(ledger, `vehicle.${vehicleId}`);
  const vehicle = stored === undefined ? undefined : vehicleOf(stored.entry);
  if (stored === undefined || vehicle === undefined)
    throw new FleetError('NOT_FOUND', `no vehicle ${vehicleId} is enrolled`);
  return { vehicle, sequence: stored.sequence };
}

/** @throws FleetError LEDGER_CONFLICT when somebody else changed the vehicle since `former` */
async function append(ledger: Ledger, fact: Parameters<Ledger['append']>[0][number], former: number): Promise<number> {
  const { sequences } = await ledger.append([fact], { expect: { [`vehicle.${fact.key}`]: former } });
  return sequences[0] ?? former;
}
