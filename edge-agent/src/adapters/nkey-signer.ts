/** Signs with the vehicle's nkey, whose seed never leaves the vehicle. */
import { FleetError } from '@fleetloop/schemas';
import { fromSeed, type KeyPair } from '@nats-io/nkeys';
import type { VehicleSigner } from '../ports.ts';

/** @throws FleetError CONFIG_INVALID for a text that is no user seed */
export function nkeySigner(seed: string): VehicleSigner {
  const key = keyOf(seed);
  return { publicKey: key.getPublicKey(), sign: (bytes) => key.sign(bytes) };
}

function keyOf(seed: string): KeyPair {
  try {
    if (!seed.startsWith('SU')) throw new Error('not a user seed');
    return fromSeed(new TextEncoder().encode(seed));
  } catch (cause) {
    throw new FleetError(
      'CONFIG_INVALID',
      'the seed file does not hold the nkey seed of a user (SU...): enrol the vehicle again',
      { cause },
    );
  }
}
