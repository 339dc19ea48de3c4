import { describe, expect, it } from 'vitest';
import { parseDesired } from './desired-document.ts';

const CAMPAIGN = {
  kind: 'campaign',
  id: 'hard',
  version: 3,
  description: '',
  owner: 'test',
  priority: 'safety',
  inputs: [{ kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' }],
  condition: 'speed > 1.0',
  preWindowMs: 1_000,
  postWindowMs: 1_000,
};
const document = (change: object = {}): string =>
  JSON.stringify({
    kind: 'desired-state',
    vehicleId: 'v1',
    version: 7,
    campaigns: [CAMPAIGN],
    director: null,
    ...change,
  });

describe('a desired state', () => {
  it('is read with its campaigns', () => {
    expect(parseDesired(document(), 'v1')).toMatchObject({
      version: 7,
      campaigns: [{ id: 'hard', cooldownMs: 0 }],
      refused: [],
      director: null,
    });
  });

  it('loses only the campaign that is wrong', () => {
    const wrong = { ...CAMPAIGN, id: 'wrong', priority: 'urgent' };
    const { campaigns, refused } = parseDesired(document({ campaigns: [wrong, CAMPAIGN, 'nonsense', CAMPAIGN] }), 'v1');
    expect(campaigns.map((campaign) => campaign.id)).toEqual(['hard']);
    expect(refused.map(({ id, version, code }) => ({ id, version, code }))).toEqual([
      { id: 'wrong', version: 3, code: 'CAMPAIGN_INVALID' },
      { id: '', version: 0, code: 'CAMPAIGN_INVALID' },
      { id: 'hard', version: 3, code: 'CAMPAIGN_INVALID' },
    ]);
  });

  it.each([
    ['that is no JSON', '{'],
    ['for another vehicle', document({ vehicleId: 'v2' })],
    ['without a version', document({ version: 0 })],
    ['with an unknown key', document({ surprise: 1 })],
  ])('%s is refused as a whole', (_, text) => {
    expect(() => parseDesired(text, 'v1')).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });
});
