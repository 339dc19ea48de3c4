/** Signs with the vehicle's nkey, whose seed never leaves the vehicle. */
import { FleetError } from '@fleetloop/schemas';
import { signWithUserKey, userKeyOfSeed } from '@fleetloop/schemas/crypto';
import { fromSeed } from '@nats-io/nkeys';
import type { VehicleSigner } from '../ports.ts';

/** @throws FleetError CONFIG_INVALID for a text that is no user seed */
export function nkeySigner(seed: string): VehicleSigner {
  const key = userKeyOfSeed(seed);
  if (key === undefined) {
    throw new FleetError(
      'CONFIG_INVALID',
      'the seed file does not hold the nkey seed of a user (SU...): enrol the vehicle again',
    );
  }
  return {
    publicKey: fromSeed(new TextEncoder().encode(seed)).getPublicKey(),
    sign: (bytes) => signWithUserKey(key, bytes),
  };
}
