import { type Account, decode } from '@nats-io/jwt';
import { createAccount, createUser } from '@nats-io/nkeys';
import { parseVehicleId, vehiclePermissions } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { createTrustDomain, issueServiceUser, issueVehicleUser, revokeInAccount } from './credentials.ts';

type UserClaims = {
  readonly pub: { readonly allow?: string[]; readonly deny?: string[] };
  readonly sub: { readonly allow?: string[]; readonly deny?: string[] };
  readonly resp?: { readonly max: number; readonly ttl: number };
};

const vehicleId = parseVehicleId('vehicle-01');

describe('trust domain', () => {
  it('has an operator that signs both accounts and names the system account', async () => {
    const domain = await createTrustDomain();
    const operator = decode<{ system_account: string }>(domain.operatorJwt);
    expect(operator.nats.system_account).toBe(domain.systemAccount.publicKey);
    expect(decode(domain.systemAccount.jwt).iss).toBe(operator.sub);
    expect(decode(domain.account.jwt).iss).toBe(operator.sub);
  });

  it('is another one each time', async () => {
    const [first, second] = await Promise.all([createTrustDomain(), createTrustDomain()]);
    expect(first.account.publicKey).not.toBe(second.account.publicKey);
  });
});

describe('vehicle user', () => {
  it('is signed by the account and limited to the subjects of the vehicle', async () => {
    const domain = await createTrustDomain();
    const publicKey = createUser().getPublicKey();
    const permissions = vehiclePermissions(vehicleId);
    const jwt = await issueVehicleUser({ vehicleId, publicKey, accountSeed: domain.account.seed, permissions });
    const claims = decode<UserClaims>(jwt);
    expect(claims.iss).toBe(domain.account.publicKey);
    expect(claims.sub).toBe(publicKey);
    expect(claims.name).toBe(vehicleId);
    expect(claims.nats.pub?.allow).toEqual(permissions.publish);
    expect(claims.nats.sub?.allow).toEqual(permissions.subscribe);
    expect(claims.nats.resp).toEqual({ max: 1, ttl: 30_000_000_000 });
    expect(claims.exp).toBeUndefined();
  });

  it('may say and hear nothing when it has no subjects', async () => {
    const { account } = await createTrustDomain();
    const publicKey = createUser().getPublicKey();
    const permissions = { publish: [], subscribe: [] };
    const claims = decode<UserClaims>(
      await issueVehicleUser({ vehicleId, publicKey, accountSeed: account.seed, permissions }),
    );
    expect(claims.nats.pub?.deny).toEqual(['>']);
    expect(claims.nats.sub?.deny).toEqual(['>']);
  });

  it('expires at the second that it was given', async () => {
    const { account } = await createTrustDomain();
    const publicKey = createUser().getPublicKey();
    const permissions = vehiclePermissions(vehicleId);
    const expiresAt = new Date('2031-05-06T07:08:09.900Z');
    const jwt = await issueVehicleUser({ vehicleId, publicKey, accountSeed: account.seed, permissions, expiresAt });
    expect(decode(jwt).exp).toBe(Date.UTC(2031, 4, 6, 7, 8, 9) / 1_000);
  });

  it.each([
    ['an account key', () => createAccount().getPublicKey()],
    ['a private seed', () => new TextDecoder().decode(createUser().getSeed())],
    ['a user key with one character changed', () => flipLast(createUser().getPublicKey())],
    ['nothing', () => ''],
  ])('refuses %s as the public key of a vehicle', async (_name, makeKey) => {
    const { account } = await createTrustDomain();
    const permissions = vehiclePermissions(vehicleId);
    const issued = issueVehicleUser({ vehicleId, publicKey: makeKey(), accountSeed: account.seed, permissions });
    await expect(issued).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });
});

describe('service user', () => {
  it('has a key of its own and credentials in the form of a .creds file', async () => {
    const { account } = await createTrustDomain();
    const user = await issueServiceUser({ name: 'control-plane', accountSeed: account.seed });
    expect(decode(user.jwt).sub).toBe(user.publicKey);
    expect(user.creds).toContain('BEGIN NATS USER JWT');
    expect(user.creds).toContain(user.seed);
  });
});

describe('a revocation', () => {
  it('adds one key to the account and keeps everything else, signed by the operator', async () => {
    const domain = await createTrustDomain();
    const [first, second] = [createUser().getPublicKey(), createUser().getPublicKey()];
    const once = await revokeInAccount(domain.account.jwt, first, domain.operatorSeed);
    const twice = decode<Account>(await revokeInAccount(once, second, domain.operatorSeed));
    const before = decode<Account>(domain.account.jwt);
    expect(twice).toMatchObject({ sub: before.sub, iss: decode(domain.operatorJwt).sub, name: before.name });
    expect(twice.nats.limits).toEqual(before.nats.limits);
    expect(Object.keys(twice.nats.revocations ?? {}).sort()).toEqual([first, second].sort());
  });
});

function flipLast(key: string): string {
  return `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`;
}
