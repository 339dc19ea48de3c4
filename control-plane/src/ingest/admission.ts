/** Who may hand anything in: a vehicle that is enrolled and whose key stands. */
import { FleetError } from '@fleetloop/schemas';
import type { EnrolledVehicle, VehicleRegistry } from './ports.ts';

/**
 * `publicKey` is the key that signed what is handed in: where it is another one than we remember, the vehicle may have renewed it.
 * @throws FleetError INGEST_VEHICLE_UNKNOWN, INGEST_VEHICLE_REVOKED
 */
export async function admit(
  registry: VehicleRegistry,
  vehicleId: string,
  publicKey?: string,
): Promise<EnrolledVehicle> {
  const known = await registry.find(vehicleId);
  const isOther = publicKey !== undefined && known !== undefined && known.publicKey !== publicKey;
  const vehicle = isOther ? await registry.find(vehicleId, { isFresh: true }) : known;
  if (vehicle === undefined)
    throw new FleetError('INGEST_VEHICLE_UNKNOWN', `vehicle ${vehicleId} is not enrolled: enrol it before it uploads`);
  if (vehicle.isRevoked)
    throw new FleetError('INGEST_VEHICLE_REVOKED', `the credentials of vehicle ${vehicleId} were revoked: renew them`);
  return vehicle;
}
