import {
  type Campaign,
  type DesiredState,
  DIRECTOR_PAYLOAD_TYPE,
  FleetError,
  parseCampaign,
  PULLS_PER_VEHICLE_MAX,
  type PullRequest,
} from '@fleetloop/schemas';
import { generateSigningKey, signDocument, verifyDocument } from '@fleetloop/schemas/crypto';
import { describe, expect, it } from 'vitest';
import { type SignDocument, targetsOf, withCampaign, withoutPull, withPull, withTargets } from './desired-changes.ts';

const key = generateSigningKey();
const sign: SignDocument = (type, document) => signDocument(type, document, key);
const BUNDLE = `sha256:${'b'.repeat(64)}`;
const request = {
  bundle: BUNDLE,
  shadow: null,
  rolloutId: 'ro-1',
  reason: 'wave 1',
  issuedAt: '2026-01-01T00:00:00.000Z',
};

const campaign = (id: string, version = 1): Campaign =>
  parseCampaign({
    kind: 'campaign',
    id,
    version,
    description: '',
    owner: 'o',
    priority: 'normal',
    preWindowMs: 0,
    postWindowMs: 0,
    condition: 'x > 1.0',
    inputs: [{ kind: 'signal', name: 'x', path: 'Vehicle.Speed', unit: 'km/h' }],
  });

describe('campaigns of a desired state', () => {
  it('are added, replaced by id, and leave director targets alone', () => {
    const { state } = withTargets('v1', undefined, request, sign);
    const one = withCampaign('v1', state, campaign('a')) as DesiredState;
    const two = withCampaign('v1', one, campaign('b')) as DesiredState;
    const three = withCampaign('v1', two, campaign('a', 2)) as DesiredState;
    expect(three.campaigns.map(({ id, version }) => [id, version])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect([three.version, three.director]).toEqual([4, state.director]);
  });

  it('change nothing when the same one is pushed again', () => {
    const state = withCampaign('v1', undefined, campaign('a'));
    expect(withCampaign('v1', state, campaign('a'))).toBeUndefined();
  });

  it('are refused when there is no room', () => {
    let state: DesiredState | undefined;
    for (let index = 0; index < 64; index += 1) state = withCampaign('v1', state, campaign(`c${index}`));
    const refusal = ((): unknown => {
      try {
        return withCampaign('v1', state, campaign('one-more'));
      } catch (error) {
        return error;
      }
    })();
    expect(FleetError.from(refusal).code).toBe('CAMPAIGN_TARGET');
  });
});

describe('director targets', () => {
  it('count up, also when they point back at a former bundle, and verify with the key', () => {
    let state: DesiredState | undefined;
    for (const [index, bundle] of [BUNDLE, `sha256:${'c'.repeat(64)}`, BUNDLE, null].entries()) {
      const next = withTargets('v1', state, { ...request, bundle }, sign);
      expect([next.counter, targetsOf(next.state)?.bundle]).toEqual([index + 1, bundle]);
      expect(verifyDocument(next.state.director, DIRECTOR_PAYLOAD_TYPE, [key.publicKeyPem])).toEqual(
        targetsOf(next.state),
      );
      state = next.state;
    }
  });
});

describe('pulls of a desired state', () => {
  const pull = (id: string): PullRequest => ({
    id,
    fromNs: '1',
    toNs: '2',
    priority: 'normal',
    requestedBy: 'ops',
    reason: 'why',
  });

  it('come once, go once, and count the version up', () => {
    const asked = withPull('v-1', undefined, pull('pl-1'));
    expect(asked).toMatchObject({ version: 1, pulls: [{ id: 'pl-1' }] });
    expect(withPull('v-1', asked, pull('pl-1'))).toBeUndefined();
    expect(withoutPull(asked, 'pl-1')).toMatchObject({ version: 2, pulls: [] });
    expect(withoutPull(asked, 'pl-2')).toBeUndefined();
    expect(withoutPull(undefined, 'pl-1')).toBeUndefined();
  });

  it('are refused when there is no room', () => {
    let state: DesiredState | undefined;
    for (let index = 0; index < PULLS_PER_VEHICLE_MAX; index += 1) state = withPull('v-1', state, pull(`pl-${index}`));
    expect(() => withPull('v-1', state, pull('pl-over'))).toThrowError(
      expect.objectContaining({ code: 'PULL_INVALID' }),
    );
  });
});
