/**
 * Why: one NATS account holds the whole fleet, and what a vehicle may say or hear is written into a JWT that only the
 * account key can sign. The server holds no passwords and no list of users; a vehicle's private key never leaves it.
 */
import { type Account, Algorithms, decode, encodeAccount, encodeOperator, encodeUser, fmtCreds } from '@nats-io/jwt';
import { createAccount, createOperator, createUser, fromPublic, fromSeed, type KeyPair } from '@nats-io/nkeys';
import { FleetError, type Permissions, type VehicleId } from '@fleetloop/schemas';

/** No limit, in the language of NATS account JWTs. */
const UNLIMITED = -1;

/** Chunks are at most 512 KiB; the rest is headroom for headers. The server holds the same limit. */
const PAYLOAD_BYTES_MAX = 1_048_576;

const MS_PER_SECOND = 1_000;
/** How long a vehicle may take to answer a request, ns. */
const ANSWER_TTL_NS = 30_000_000_000;

/** The keys and JWTs of one fleet: the operator vouches for accounts, the account vouches for users. */
export type TrustDomain = {
  readonly operatorJwt: string;
  readonly operatorSeed: string;
  readonly systemAccount: { readonly publicKey: string; readonly jwt: string; readonly seed: string };
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

/** `permissions` limit the process; without them it may use every subject of the account. */
export type ServiceUserRequest = {
  readonly name: string;
  readonly accountSeed: string;
  readonly permissions?: Permissions;
};

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
    systemAccount: {
      publicKey: system.getPublicKey(),
      jwt: await encodeAccount('SYS', system, { limits: CONNECTION_LIMITS }, signer),
      seed: seedOf(system),
    },
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
    // One answer to each request that reaches the vehicle, such as "explain yourself", and only while the asker waits.
    resp: { max: 1, ttl: ANSWER_TTL_NS },
    payload: PAYLOAD_BYTES_MAX,
  };
  const expiry = request.expiresAt === undefined ? {} : { exp: Math.floor(request.expiresAt.getTime() / 1_000) };
  return encodeUser(request.vehicleId, request.publicKey, fromSeedText(request.accountSeed), user, expiry);
}

/**
 * The account with one more key that it no longer takes; signed by the operator, as a server wants it.
 */
export async function revokeInAccount(accountJwt: string, publicKey: string, operatorSeed: string): Promise<string> {
  const { sub, name, nats } = decode<Account>(accountJwt);
  const nowSeconds = Math.floor(Date.now() / MS_PER_SECOND);
  const revocations = { ...nats.revocations, [publicKey]: nowSeconds };
  const signer = fromSeedText(operatorSeed);
  return encodeAccount(name, fromPublic(sub), { ...nats, revocations }, { algorithm: Algorithms.v2, signer });
}

/** Makes a key for a process of ours and signs its JWT. */
export async function issueServiceUser(request: ServiceUserRequest): Promise<ServiceUser> {
  const key = createUser();
  const { permissions } = request;
  const limits =
    permissions === undefined
      ? {}
      : { pub: { allow: [...permissions.publish], deny: [] }, sub: { allow: [...permissions.subscribe], deny: [] } };
  const jwt = await encodeUser(request.name, key, fromSeedText(request.accountSeed), limits);
  return {
    publicKey: key.getPublicKey(),
    seed: seedOf(key),
    jwt,
    creds: new TextDecoder().decode(fmtCreds(jwt, key)),
  };
}

const CONNECTION_LIMITS = {
  subs: UNLIMITED,
  data: UNLIMITED,
  payload: UNLIMITED,
  conn: UNLIMITED,
  leaf: UNLIMITED,
  imports: UNLIMITED,
  exports: UNLIMITED,
  wildcards: true,
};

/** The system account has no streams of its own. */
const FLEET_ACCOUNT_LIMITS = {
  ...CONNECTION_LIMITS,
  mem_storage: UNLIMITED,
  disk_storage: UNLIMITED,
  streams: UNLIMITED,
  consumer: UNLIMITED,
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
