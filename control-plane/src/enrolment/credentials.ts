/**
 * Why: one NATS account holds the whole fleet, and what a vehicle may say or hear is written into a JWT that only the
 * account key can sign. The server holds no passwords and no list of users; a vehicle's private key never leaves it.
 */
import { Algorithms, encodeAccount, encodeOperator, encodeUser, fmtCreds } from '@nats-io/jwt';
import { createAccount, createOperator, createUser, fromPublic, fromSeed, type KeyPair } from '@nats-io/nkeys';
import { FleetError, type Permissions, type VehicleId } from '@fleetloop/schemas';

/** No limit, in the language of NATS account JWTs. */
const UNLIMITED = -1;

/** Chunks are at most 512 KiB; the rest is headroom for headers. The server holds the same limit. */
const PAYLOAD_BYTES_MAX = 1_048_576;

/** The keys and JWTs of one fleet: the operator vouches for accounts, the account vouches for users. */
export type TrustDomain = {
  readonly operatorJwt: string;
  readonly operatorSeed: string;
  readonly systemAccount: { readonly publicKey: string; readonly jwt: string };
  readonly account: { readonly publicKey: string; readonly jwt: string; readonly seed: string };
};

export type VehicleUserRequest = {
  readonly vehicleId: VehicleId;
  /** The vehicle's own public user nkey (`U…`). */
  readonly publicKey: string;
  readonly accountSeed: string;
  readonly permissions: Permissions;
  /** Without it the JWT does not expire. */
  readonly expiresAt?: Date;
};

export type ServiceUserRequest = { readonly name: string; readonly accountSeed: string };

/** What a process of ours needs to connect. `creds` is the text of a NATS `.creds` file. */
export type ServiceUser = {
  readonly publicKey: string;
  readonly seed: string;
  readonly jwt: string;
  readonly creds: string;
};

/** Makes a new operator, a system account and one account with JetStream for the fleet. */
export async function createTrustDomain(name = 'fleetloop'): Promise<TrustDomain> {
  const operator = createOperator();
  const system = createAccount();
  const account = createAccount();
  const signer = { algorithm: Algorithms.v2, signer: operator };
  return {
    operatorJwt: await encodeOperator(name, operator, { system_account: system.getPublicKey() }),
    operatorSeed: seedOf(operator),
    systemAccount: { publicKey: system.getPublicKey(), jwt: await encodeAccount('SYS', system, {}, signer) },
    account: {
      publicKey: account.getPublicKey(),
      jwt: await encodeAccount(name, account, { limits: FLEET_ACCOUNT_LIMITS }, signer),
      seed: seedOf(account),
    },
  };
}

/**
 * Signs the JWT with which one vehicle connects, limited to the given subjects.
 * @throws FleetError `REQUEST_INVALID` where the public key is not one of a user
 */
export async function issueVehicleUser(request: VehicleUserRequest): Promise<string> {
  assertUserKey(request.publicKey, request.vehicleId);
  const user = {
    pub: { allow: [...request.permissions.publish], deny: denyAllWhenEmpty(request.permissions.publish) },
    sub: { allow: [...request.permissions.subscribe], deny: denyAllWhenEmpty(request.permissions.subscribe) },
    payload: PAYLOAD_BYTES_MAX,
  };
  const expiry = request.expiresAt === undefined ? {} : { exp: Math.floor(request.expiresAt.getTime() / 1_000) };
  return encodeUser(request.vehicleId, request.publicKey, fromSeedText(request.accountSeed), user, expiry);
}

/** Makes a key for a process of the control plane and signs its JWT; it may use every subject of the account. */
export async function issueServiceUser(request: ServiceUserRequest): Promise<ServiceUser> {
  const key = createUser();
  const jwt = await encodeUser(request.name, key, fromSeedText(request.accountSeed), {});
  return {
    publicKey: key.getPublicKey(),
    seed: seedOf(key),
    jwt,
    creds: new TextDecoder().decode(fmtCreds(jwt, key)),
  };
}

const FLEET_ACCOUNT_LIMITS = {
  mem_storage: UNLIMITED,
  disk_storage: UNLIMITED,
  streams: UNLIMITED,
  consumer: UNLIMITED,
  subs: UNLIMITED,
  data: UNLIMITED,
  payload: UNLIMITED,
  conn: UNLIMITED,
  leaf: UNLIMITED,
  imports: UNLIMITED,
  exports: UNLIMITED,
  wildcards: true,
};

/** NATS reads an empty list of allowed subjects as "everything"; a vehicle without subjects gets none. */
function denyAllWhenEmpty(allowed: readonly string[]): string[] {
  return allowed.length === 0 ? ['>'] : [];
}

function assertUserKey(publicKey: string, vehicleId: VehicleId): void {
  if (isUserKey(publicKey)) return;
  throw new FleetError(
    'REQUEST_INVALID',
    `the public key of vehicle ${vehicleId} is not a user nkey (U…): send the public key that the agent made`,
    { details: { vehicleId } },
  );
}

function isUserKey(publicKey: string): boolean {
  if (!publicKey.startsWith('U')) return false;
  try {
    fromPublic(publicKey);
    return true;
  } catch {
    return false;
  }
}

function seedOf(key: KeyPair): string {
  return new TextDecoder().decode(key.getSeed());
}

function fromSeedText(seed: string): KeyPair {
  return fromSeed(new TextEncoder().encode(seed));
}
