/** What is refused before anything runs, and where the message points. */
import { describe, expect, it } from 'vitest';
import { type Campaign, parseCampaign } from '../campaign/campaign.ts';
import { compileCampaign } from './compile-campaign.ts';

const SPEED = { kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'm/s' } as const;
const WINDOW = {
  kind: 'window',
  name: 'w',
  path: 'Vehicle.Speed',
  unit: 'm/s',
  windowMs: 1_000,
  statistic: 'mean',
} as const;

const document = (change: object): unknown => ({
  kind: 'campaign',
  id: 'tried',
  version: 1,
  description: '',
  owner: 'test',
  priority: 'normal',
  inputs: [SPEED],
  condition: 'speed > 1.0',
  preWindowMs: 0,
  postWindowMs: 0,
  ...change,
});
const campaign = (change: object): Campaign => parseCampaign(document(change));
const compile = (change: object): unknown => compileCampaign(campaign(change), {});

describe('compiling a campaign', () => {
  it.each<[string, string, object]>([
    [
      'an unknown path of a window',
      'SIGNAL_UNKNOWN',
      { inputs: [{ ...WINDOW, path: 'Vehicle.Nowhere' }], condition: 'w > 1.0' },
    ],
    ['a unit that does not fit', 'UNIT_UNKNOWN', { inputs: [{ ...WINDOW, unit: 'g' }], condition: 'w > 1.0' }],
    [
      'a latitude that is none',
      'UNIT_UNKNOWN',
      {
        inputs: [
          {
            kind: 'geofence',
            name: 'in',
            latitudePath: 'Vehicle.Speed',
            longitudePath: 'Vehicle.CurrentLocation.Longitude',
            circle: { latitude: 0, longitude: 0, radiusM: 1 },
          },
        ],
        condition: 'in',
      },
    ],
    [
      'an attribute that the campaign lacks',
      'CAMPAIGN_TYPE',
      {
        inputs: [SPEED, { kind: 'attribute', name: 'limit', of: 'campaign', attribute: 'limit', type: 'number' }],
        condition: 'speed > limit',
      },
    ],
    ['a name that the language reserves', 'CAMPAIGN_TYPE', { inputs: [{ ...SPEED, name: 'if' }] }],
    [
      'a hysteresis in a unit that does not fit',
      'UNIT_UNKNOWN',
      {
        inputs: [{ kind: 'hysteresis', name: 'over', path: 'Vehicle.Speed', unit: 'g', set: 2, release: 1 }],
        condition: 'over',
      },
    ],
    ['an input declared twice', 'CAMPAIGN_TYPE', { inputs: [SPEED, SPEED] }],
    ['a release condition that is no bool', 'CAMPAIGN_TYPE', { hysteresis: { releaseCondition: 'speed' } }],
    ['a release condition that does not parse', 'CAMPAIGN_SYNTAX', { hysteresis: { releaseCondition: 'speed <' } }],
    [
      'one window over its samples',
      'CAMPAIGN_COST',
      { inputs: [{ ...WINDOW, windowMs: 60_000, rateHzMax: 100 }], condition: 'w > 1.0' },
    ],
    [
      'windows that take too much together',
      'CAMPAIGN_COST',
      {
        inputs: Array.from({ length: 17 }, (_, index) => ({ ...WINDOW, name: `w${index}`, windowMs: 1_000 + index })),
        condition: 'w1 > 1.0',
      },
    ],
    [
      'a condition over its bound',
      'CAMPAIGN_COST',
      { condition: Array.from({ length: 130 }, () => 'speed > 1.0').join(' || ') },
    ],
  ])('refuses %s with %s', (_what, code, change) => {
    expect(() => compile(change)).toThrow(expect.objectContaining({ code }));
  });

  it.each<[string, object]>([
    ['percentile without p', { inputs: [{ ...WINDOW, statistic: 'percentile', rateHzMax: 10 }], condition: 'w > 1.0' }],
    ['p beside a mean', { inputs: [{ ...WINDOW, p: 50 }], condition: 'w > 1.0' }],
    ['percentile without a rate', { inputs: [{ ...WINDOW, statistic: 'percentile', p: 50 }], condition: 'w > 1.0' }],
    ['staleness of nothing', { inputs: [{ kind: 'staleness', name: 'age' }], condition: 'age > 1.0' }],
    ['an end before the start', { startsAt: '2026-01-02T00:00:00Z', expiresAt: '2026-01-01T00:00:00Z' }],
    ['an unknown key', { sampling: 3 }],
    [
      'a trace that goes back in time',
      { tests: [{ name: 't', trace: [{ timeMs: 5 }, { timeMs: 4 }], expectedFireMs: [] }] },
    ],
  ])('refuses a document with %s', (_what, change) => {
    expect(() => campaign(change)).toThrow(expect.objectContaining({ code: 'CAMPAIGN_INVALID' }));
  });

  it('leaves a campaign of the first kind as it was', () => {
    const first = document({ cooldownMs: 0, eventMsMax: 60_000 });
    expect(parseCampaign(first)).toEqual(first);
  });
});

describe('units', () => {
  const inputs = [
    SPEED,
    { ...SPEED, name: 'kmh', unit: 'km/h' },
    { ...WINDOW, statistic: 'count', name: 'n' },
    { kind: 'signal', name: 'angle', path: 'Vehicle.Chassis.SteeringWheel.Angle', unit: 'degrees' },
  ];

  it.each([
    'speed > kmh',
    'speed + kmh > 1.0',
    'speed > n',
    'abs(speed) - angle > 1.0',
    'speed * 2.0 > kmh / 3.6',
    '(speed > 1.0 ? speed : angle) > 1.0',
  ])('refuses %s', (condition) => {
    expect(() => compile({ inputs, condition })).toThrow(expect.objectContaining({ code: 'CAMPAIGN_TYPE' }));
  });

  it.each(['speed > 3.0', 'speed - speed / 2.0 > -speed', 'speed * angle > kmh', 'n > 3.0 && kmh > 1.0'])(
    'takes %s',
    (condition) => {
      expect(compile({ inputs, condition })).toBeDefined();
    },
  );
});

describe('a message', () => {
  it.each([
    ['speed >', /at line 1, character 8\nspeed >\n {7}\^/],
    ['speed > 1.0 &&\n  nope', /at line 2, character 3\n {2}nope\n {2}\^/],
    ['speed > 1.0 || speed > kmh', /at line 1, character 24\n.*\n {23}\^/],
  ])('points at the character of %j', (condition, pattern) => {
    const inputs = [SPEED, { ...SPEED, name: 'kmh', unit: 'km/h' }];
    expect(() => compile({ inputs, condition })).toThrow(pattern);
  });
});
