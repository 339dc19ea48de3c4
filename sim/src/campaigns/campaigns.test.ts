/** The campaigns of this repository: valid, compiled, and each doing what its own tests say. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCampaign } from '@fleetloop/schemas';
import { assertCampaignTests, compileCampaign, runCampaignTests } from '@fleetloop/schemas/trigger';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const FOLDER = join(import.meta.dirname, '../../campaigns');
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
const read = (name: string): unknown => JSON.parse(readFileSync(join(FOLDER, name), 'utf8'));
const TYPED_ERRORS = /^(CAMPAIGN_(INVALID|SYNTAX|TYPE|COST)|SIGNAL_UNKNOWN|UNIT_UNKNOWN)$/;

describe.each(NAMES)('%s', (name) => {
  it('compiles and passes its own tests', () => {
    const campaign = parseCampaign(read(name));
    expect(compileCampaign(campaign, {}).campaign).toEqual(campaign);
    expect(runCampaignTests(campaign, {}).filter((result) => !result.isPassed)).toEqual([]);
  });
});

describe('a test that a campaign carries', () => {
  it('is there for each campaign with state, and fails when the campaign does something else', () => {
    const names = ['rough-road.json', 'silent-accelerometer.json', 'fast-in-depot.json', 'stop-and-go.json'];
    for (const name of names) {
      const campaign = parseCampaign(read(name));
      expect(campaign.tests?.length).toBeGreaterThan(1);
      const other = { ...campaign, condition: campaign.condition.replace(/[<>]=? -?[\d.]+|> limit/, '> 1000000.0') };
      expect(other.condition).not.toBe(campaign.condition);
      expect(() => assertCampaignTests(other, {})).toThrow(expect.objectContaining({ code: 'CAMPAIGN_TEST' }));
    }
  });

  it('names the test, when it must fire and when it does', () => {
    const campaign = parseCampaign({ ...(read('rough-road.json') as object), forMs: 1_000 });
    expect(() => assertCampaignTests(campaign, {})).toThrow(
      /test "fires once per stretch.*must fire at 3400 ms, 14400 ms but fires at 2400 ms, 13400 ms/,
    );
  });

  it('runs whatever the schedule says, and while the campaign is suspended', () => {
    const document = read('rough-road.json') as object;
    const campaign = parseCampaign({ ...document, suspended: true, startsAt: '2031-01-01T00:00:00Z' });
    expect(() => assertCampaignTests(campaign, {})).not.toThrow();
  });
});

describe('a damaged campaign', () => {
  const documents = NAMES.map(read);
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom<unknown>(-1, 0, 1e308, '', 'x', '\u0000', null, [], {}, 'constructor', '__proto__'),
  );
  /** Replaces, removes or adds one thing, up to a few times. */
  const damage = fc.array(fc.tuple(fc.nat(), value, fc.constantFrom('set', 'remove', 'add', 'text')), {
    minLength: 1,
    maxLength: 4,
  });

  it('ends in a typed error or in a campaign that can be tested', () => {
    const outcomes = { compiled: 0, refused: 0 };
    fc.assert(
      fc.property(fc.constantFrom(...documents), damage, (document, damages) => {
        const tried = damages.reduce<unknown>((changed, one) => damaged(changed, ...one), structuredClone(document));
        expectTyped(() => {
          const campaign = parseCampaign(tried);
          compileCampaign(campaign, {});
          runCampaignTests(campaign, {});
        }, outcomes);
      }),
      { numRuns: 400 },
    );
    expect(outcomes.compiled).toBeGreaterThan(10);
    expect(outcomes.refused).toBeGreaterThan(10);
  });

  it('ends so for conditions of any text too', () => {
    const outcomes = { compiled: 0, refused: 0 };
    const document = read('rough-road.json') as object;
    const token = fc.constantFrom(
      'shaking',
      'speed',
      '>',
      '<=',
      '&&',
      '||',
      '!',
      '(',
      ')',
      '1.0',
      '2',
      '"a"',
      '?',
      ':',
      '[',
      ']',
      '.',
      'abs',
      'has',
      'in',
      '-',
      '/',
      '%',
      'true',
      '\n',
      ',',
      '{',
      'cel.bind',
    );
    const source = fc.oneof(
      fc.array(token, { minLength: 1, maxLength: 12 }).map((tokens) => tokens.join(' ')),
      fc.string({ minLength: 1, maxLength: 40, unit: 'binary' }),
      fc
        .tuple(fc.constantFrom('shaking', 'speed'), fc.constantFrom('>', '<'), fc.integer())
        .map((parts) => parts.join(' ')),
    );
    fc.assert(
      fc.property(source, source, (condition, releaseCondition) => {
        const changed = { ...document, tests: [], condition, hysteresis: { releaseCondition } };
        expectTyped(() => compileCampaign(parseCampaign(changed), {}), outcomes);
      }),
      { numRuns: 1_000 },
    );
    expect(outcomes.compiled).toBeGreaterThan(10);
    expect(outcomes.refused).toBeGreaterThan(100);
  });
});

function expectTyped(act: () => unknown, outcomes: { compiled: number; refused: number }): void {
  try {
    act();
    outcomes.compiled += 1;
  } catch (error) {
    expect(error).toMatchObject({ name: 'FleetError', code: expect.stringMatching(TYPED_ERRORS) });
    outcomes.refused += 1;
  }
}

/** Walks down to some place of the document by the number, and changes what is there. */
function damaged(document: unknown, place: number, value: unknown, how: string): unknown {
  let rest = place;
  let holder: unknown = document;
  for (let depth = 0; depth < 8; depth += 1) {
    if (typeof holder !== 'object' || holder === null) return document;
    const keys = Object.keys(holder);
    const key = keys[rest % Math.max(1, keys.length)] ?? 'added';
    rest = Math.floor(rest / 7);
    const record = holder as Record<string, unknown>;
    const inner = record[key];
    if (rest % 3 !== 0 && typeof inner === 'object' && inner !== null) {
      holder = inner;
      continue;
    }
    if (how === 'remove') delete record[key];
    else if (how === 'add')
      Object.defineProperty(record, `${key}2`, { value, enumerable: true, writable: true, configurable: true });
    else if (how === 'text' && typeof inner === 'string')
      record[key] =
        inner.slice(0, rest % (inner.length + 1)) + (typeof value === 'string' ? value : JSON.stringify(value));
    else record[key] = value;
    return document;
  }
  return document;
}
