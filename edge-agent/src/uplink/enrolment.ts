/** What the vehicle's own JWT says about itself: when it ends is known before the server says so. */
import { FleetError } from '@fleetloop/schemas';

const MS_PER_S = 1_000;

/** When a NATS user JWT expires, ms since the Unix epoch; undefined when it does not say, or is no JWT. */
export function expiryOfJwt(jwt: string): number | undefined {
  const [, body] = jwt.split('.');
  try {
    const claims: unknown = JSON.parse(Buffer.from(body ?? '', 'base64url').toString('utf8'));
    if (typeof claims !== 'object' || claims === null || !('exp' in claims)) return undefined;
    return typeof claims.exp === 'number' && claims.exp > 0 ? claims.exp * MS_PER_S : undefined;
  } catch {
    return undefined;
  }
}

/** Words of a nats-server that refuses a user for good: no other attempt with the same JWT can succeed. */
const EXPIRED = /authentication expired|user jwt.*expired/i;
const REVOKED = /authentication revoked|authorization violation|account .*(removed|disabled)/i;

/**
 * The refusal that an error of the connection means, or undefined when it is none. A server answers a JWT that has expired with
 * the same words as any other refusal, so the JWT's own expiry tells them apart.
 */
export function refusalOf(reason: string, jwt: string, nowMs: number, cause?: unknown): FleetError | undefined {
  const expiresAtMs = expiryOfJwt(jwt);
  const isPast = expiresAtMs !== undefined && expiresAtMs <= nowMs;
  if (EXPIRED.test(reason) || (REVOKED.test(reason) && isPast)) {
    const since = expiresAtMs === undefined ? '' : ` on ${new Date(expiresAtMs).toISOString()}`;
    return new FleetError(
      'UPLINK_EXPIRED',
      `the enrolment of the vehicle has expired${since}: enrol it again and put the new JWT in its place`,
      { cause },
    );
  }
  if (!REVOKED.test(reason)) return undefined;
  return new FleetError(
    /revoked/i.test(reason) ? 'UPLINK_EXPIRED' : 'UPLINK_FORBIDDEN',
    `the server refuses the key of the vehicle (${reason}): enrol the vehicle again and put the new JWT in its place`,
    { cause },
  );
}
