/** Held against the official library: what one signs, the other verifies. */
import { createAccount, createUser, fromPublic, fromSeed } from '@nats-io/nkeys';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSignedByUser, signWithUserKey, userKeyOfSeed } from '@fleetloop/schemas/crypto';

const user = createUser();
const seed = new TextDecoder().decode(user.getSeed());
const BYTES = new TextEncoder().encode('what is signed');

describe('nkey', () => {
  it('signs as the official library does, byte by byte', () => {
    const key = userKeyOfSeed(seed);
    expect(key).toBeDefined();
    if (key === undefined) return;
    expect(Buffer.from(signWithUserKey(key, BYTES)).equals(user.sign(BYTES))).toBe(true);
    expect(fromPublic(user.getPublicKey()).verify(BYTES, signWithUserKey(key, BYTES))).toBe(true);
    expect(fromSeed(user.getSeed()).getPublicKey()).toBe(user.getPublicKey());
  });

  it('verifies what the official library has signed, and nothing else', () => {
    const signature = user.sign(BYTES);
    const other = createUser();
    expect(isSignedByUser(user.getPublicKey(), BYTES, signature)).toBe(true);
    expect(isSignedByUser(other.getPublicKey(), BYTES, signature)).toBe(false);
    expect(isSignedByUser(user.getPublicKey(), new Uint8Array(3), signature)).toBe(false);
    expect(isSignedByUser(user.getPublicKey(), BYTES, signature.subarray(1))).toBe(false);
  });

  it('takes no key of another kind', () => {
    const account = createAccount();
    expect(userKeyOfSeed(new TextDecoder().decode(account.getSeed()))).toBeUndefined();
    expect(isSignedByUser(account.getPublicKey(), BYTES, account.sign(BYTES))).toBe(false);
    expect(userKeyOfSeed(user.getPublicKey())).toBeUndefined();
  });

  it('takes no text in which a character is wrong', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567018a=';
    // The last character carries two bits that belong to no byte.
    for (const character of alphabet.replace(seed.slice(-1), ''))
      expect(userKeyOfSeed(seed.slice(0, -1) + character)).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(seed.length - 1), fc.constantFrom(...alphabet.split('')), (at, character) => {
        fc.pre(seed[at] !== character);
        expect(userKeyOfSeed(seed.slice(0, at) + character + seed.slice(at + 1))).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(userKeyOfSeed(text)).toBeUndefined();
      }),
    );
  });
});
