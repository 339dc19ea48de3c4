import type { DatasetSpecification } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffDatasets } from './dataset-diff.ts';
import { type CatalogueRecording, planDatasetVersion } from './dataset-plan.ts';
import { assertNoLeakage } from './split.ts';

const AT = new Date('2026-11-21T12:00:00Z');
const DIGEST = `sha256:${'a'.repeat(64)}`;
const digestOf = (index: number): string => `sha256:${index.toString(16).padStart(64, '0')}`;

function recording(index: number, overrides: Partial<CatalogueRecording> = {}): CatalogueRecording {
  return {
    recording: digestOf(index),
    session: `s${index}`,
    source: 'import',
    vehicle: 'v1',
    hardwareRevision: 'A',
    softwareVersion: '1.0.0',
    brief: null,
    label: 'ICE',
    durationSeconds: 60,
    attributes: {},
    ...overrides,
  };
}

function specification(overrides: Partial<DatasetSpecification> = {}): DatasetSpecification {
  return {
    kind: 'dataset-specification',
    dataset: 'terrain',
    version: 'v1',
    description: '',
    include: 'true',
    exclude: [],
    testSessions: ['s1'],
    ...overrides,
  };
}

const plan = (spec: Partial<DatasetSpecification>, catalogue: readonly CatalogueRecording[]) =>
  planDatasetVersion(specification(spec), DIGEST, { recordings: catalogue, at: AT });
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
};

describe('planDatasetVersion', () => {
  it('puts test sessions into test and the rest into train, sorted by digest', () => {
    const version = plan({}, [recording(3), recording(1), recording(2)]);
    expect(version.recordings.map((entry) => [entry.session, entry.split])).toEqual([
      ['s1', 'test'],
      ['s2', 'train'],
      ['s3', 'train'],
    ]);
  });

  it('names the first reason of an exclusion', () => {
    const exclude = [
      { where: 'durationSeconds < 10.0', reason: 'too short' },
      { where: 'session == "s3"', reason: 'broken sensor' },
    ];
    const version = plan({ exclude }, [recording(1), recording(2), recording(3, { durationSeconds: 5 })]);
    expect(version.exclusions).toEqual([{ recording: digestOf(3), session: 's3', reason: 'too short' }]);
  });

  it('leaves sessions that are in neither named split out, with a reason', () => {
    const version = plan({ trainSessions: ['s2'] }, [recording(1), recording(2), recording(3)]);
    expect(version.exclusions.map((entry) => entry.session)).toEqual(['s3']);
  });

  it.each([
    ['a session in both splits', { trainSessions: ['s2', 's1'] }, [recording(1), recording(2)], 'DATASET_LEAKAGE'],
    [
      'a copy of a test session in train',
      {},
      [recording(1), recording(2, { attributes: { derivedFrom: 's1' } })],
      'DATASET_LEAKAGE',
    ],
    ['a recording without a label', {}, [recording(1), recording(2, { label: null })], 'DATASET_LABEL_MISSING'],
    ['a filter that takes nothing', { include: 'false' }, [recording(1)], 'DATASET_EMPTY'],
    ['an empty catalogue', {}, [], 'DATASET_EMPTY'],
    ['no recording in test', {}, [recording(2)], 'DATASET_EMPTY'],
    ['no recording in train', {}, [recording(1)], 'DATASET_EMPTY'],
    [
      'a train session without a recording',
      { trainSessions: ['s2', 's9'] },
      [recording(1), recording(2)],
      'DATASET_EMPTY',
    ],
    ['a filter that does not parse', { include: 'session ==' }, [recording(1)], 'DATASET_INVALID'],
    ['a filter over an unknown variable', { include: 'colour == "red"' }, [recording(1)], 'DATASET_INVALID'],
    [
      'an attribute that a recording lacks',
      { include: 'attributes.place == "Oulu"' },
      [recording(1)],
      'DATASET_INVALID',
    ],
  ])('refuses %s', (_title, spec, catalogue, code) => {
    expect(codeOf(() => plan(spec, catalogue))).toBe(code);
  });

  describe('and what recordings may be used for', () => {
    const LICENCE = { licence: 'CC-BY-4.0', licenceScope: ['training'], licenceExpiresAt: '2027-01-01T00:00:00Z' };
    const CONSENT = { consent: 'form-7', consentScope: ['training'], consentExpiresAt: '9999-12-31T23:59:59.999Z' };
    const reasonsOf = (spec: Partial<DatasetSpecification>, third: Partial<CatalogueRecording>): readonly string[] =>
      plan(spec, [
        recording(1, { ...LICENCE, ...CONSENT }),
        recording(2, { ...LICENCE, ...CONSENT }),
        recording(3, third),
      ]).exclusions.map(({ reason }) => reason);

    it.each<readonly [string, Partial<CatalogueRecording>, readonly string[]]>([
      ['what covers training', { ...LICENCE, ...CONSENT }, []],
      ['what states nothing', {}, []],
      [
        'a licence for something else',
        { ...LICENCE, licenceScope: ['evaluation'] },
        ['licence CC-BY-4.0 does not cover training'],
      ],
      ['a licence for nothing', { ...LICENCE, licenceScope: [] }, ['licence CC-BY-4.0 does not cover training']],
      [
        'a consent for something else',
        { ...LICENCE, ...CONSENT, consentScope: ['publication'] },
        ['consent form-7 does not cover training'],
      ],
      [
        'a licence that ended',
        { ...LICENCE, licenceExpiresAt: '2026-11-21T12:00:00Z' },
        ['licence CC-BY-4.0 expired at 2026-11-21T12:00:00Z'],
      ],
      ['one that ends a moment later', { ...LICENCE, licenceExpiresAt: '2026-11-21T12:00:00.001Z' }, []],
    ])('takes or leaves %s', (_title, third, reasons) => {
      expect(reasonsOf({}, third)).toEqual(reasons);
    });

    it('asks for the use that the specification names, and for a statement where it requires one', () => {
      const both = { ...LICENCE, ...CONSENT };
      expect(codeOf(() => reasonsOf({ use: 'publication' }, both))).toBe('DATASET_EMPTY');
      expect(reasonsOf({ requireConsent: true }, LICENCE)).toEqual([
        'it states no consent, which the specification requires',
      ]);
      expect(reasonsOf({ requireLicence: true }, CONSENT)).toEqual([
        'it states no licence, which the specification requires',
      ]);
      expect(reasonsOf({ requireConsent: true, requireLicence: true }, both)).toEqual([]);
    });

    it('bounds its reasons, and an exclusion by the specification comes first', () => {
      const long = { ...LICENCE, licence: 'x'.repeat(256), licenceScope: [] };
      expect(reasonsOf({}, long)[0]?.length).toBeLessThanOrEqual(256);
      const exclude = [{ where: 'session == "s3"', reason: 'broken sensor' }];
      expect(reasonsOf({ exclude }, long)).toEqual(['broken sensor']);
    });
  });

  it('never puts a session on both sides, and does not depend on the order of the catalogue', () => {
    const catalogues = fc.uniqueArray(
      fc.record({ index: fc.integer({ min: 0, max: 500 }), session: fc.constantFrom('s1', 's2', 's3', 's4') }),
      { selector: (entry) => entry.index, minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(catalogues, fc.integer(), (entries, seed) => {
        const all = [recording(900, { session: 's1' }), recording(901, { session: 's2' })];
        const catalogue = [...all, ...entries.map(({ index, session }) => recording(index, { session }))];
        const shuffled = [...catalogue].sort(
          (a, b) => ((a.recording.length * 7 + seed) % 3) - 1 || (a.session < b.session ? 1 : -1),
        );
        const version = plan({}, catalogue);
        assertNoLeakage(version);
        expect(plan({}, shuffled)).toEqual(version);
        expect(version.recordings).toHaveLength(catalogue.length);
      }),
    );
  });
});

describe('assertNoLeakage', () => {
  it('refuses a document in which a session is on both sides', () => {
    const version = plan({}, [recording(1), recording(2)]);
    const forged = { ...version, recordings: version.recordings.map((entry) => ({ ...entry, session: 's1' })) };
    expect(codeOf(() => assertNoLeakage(forged))).toBe('DATASET_LEAKAGE');
  });
});

describe('diffDatasets', () => {
  it('tells added, removed, relabelled and replaced recordings apart', () => {
    const from = plan({}, [recording(1), recording(2), recording(3)]);
    const to = plan({}, [recording(1), recording(2, { label: 'SNOW' }), recording(7, { session: 's3' }), recording(8)]);
    const difference = diffDatasets(from, to);
    expect(difference.added.map((entry) => entry.session)).toEqual(['s3', 's8']);
    expect(difference.removed.map((entry) => entry.session)).toEqual(['s3']);
    expect(difference.changed).toMatchObject([{ session: 's2', from: { label: 'ICE' }, to: { label: 'SNOW' } }]);
    expect(difference.replaced).toEqual([{ session: 's3', vehicle: 'v1', from: digestOf(3), to: digestOf(7) }]);
    expect(difference.labels).toEqual([
      { label: 'ICE', from: { train: 2, test: 1 }, to: { train: 2, test: 1 } },
      { label: 'SNOW', from: { train: 0, test: 0 }, to: { train: 1, test: 0 } },
    ]);
  });

  it('finds nothing between a version and itself', () => {
    const version = plan({}, [recording(1), recording(2)]);
    expect(diffDatasets(version, version)).toMatchObject({ added: [], removed: [], changed: [], replaced: [] });
  });
});
