import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expiryOfJwt, refusalOf } from './enrolment.ts';
import { parseNetworkClass } from './network-class.ts';

const jwtOf = (claims: object): string => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;

describe('the enrolment', () => {
  it('knows when a JWT expires, and takes any text that is none', () => {
    expect(expiryOfJwt(jwtOf({ exp: 1_700_000_000 }))).toBe(1_700_000_000_000);
    expect(expiryOfJwt(jwtOf({ sub: 'U' }))).toBeUndefined();
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(expiryOfJwt(text)).toBeUndefined();
      }),
    );
  });

  it('tells expired, revoked and forbidden from a link that is down', () => {
    const past = jwtOf({ exp: 1 });
    const valid = jwtOf({ exp: 4_000_000_000 });
    const codeOf = (reason: string, jwt: string): string | undefined => refusalOf(reason, jwt, 1_000_000_000_000)?.code;
    expect(codeOf('User Authentication Expired', valid)).toBe('UPLINK_EXPIRED');
    expect(codeOf("'Authorization Violation'", past)).toBe('UPLINK_EXPIRED');
    expect(codeOf('User Authentication Revoked', valid)).toBe('UPLINK_EXPIRED');
    expect(codeOf("'Authorization Violation'", valid)).toBe('UPLINK_FORBIDDEN');
    expect(codeOf('connection refused', past)).toBeUndefined();
    expect(codeOf('Authentication Timeout', valid)).toBeUndefined();
  });
});

describe('the class of a network', () => {
  it('is metered for any word that is unknown', () => {
    expect(['wifi', ' Cellular\n', 'ROAMING', 'offline', '5g', ''].map(parseNetworkClass)).toEqual([
      'wifi',
      'cellular',
      'roaming',
      'offline',
      'metered',
      'metered',
    ]);
  });
});
