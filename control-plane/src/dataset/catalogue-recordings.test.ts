/** Whatever is known of a recording can be asked for by whoever searches the catalogue, and by a dataset specification. */
import { compileRecordingFilter, type FactBody, type FilterableRecording, type LedgerEntry } from '@fleetloop/schemas';
import { planDatasetVersion } from '@fleetloop/workflows';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckdbFile } from '../adapters/duckdb-file.ts';
import { listRecordings } from '../catalogue/recording-catalogue.ts';
import { decodeEntry, encodeEntry } from '../ledger/entry-coding.ts';
import type { Projection, StoredEntry, StoredFact } from '../ports.ts';
import { catalogueRecordings } from './catalogue-recordings.ts';

const DIGESTS = ['1', '2'].map((digit) => `sha256:${digit.repeat(64)}`) as [string, string];
const AT = new Date('2026-11-21T12:00:00Z');

function accepted(index: 0 | 1): FactBody<'recording.accepted'> {
  const isFirst = index === 0;
  const startNs = '1790000000000000000';
  return {
    recording: DIGESTS[index],
    source: isFirst ? 'uplink' : 'import',
    sizeBytes: 1,
    messages: 1,
    startNs,
    endNs: String(BigInt(startNs) + (isFirst ? 90_000_000_000n : 10_000_000_000n)),
    topics: {},
    manifest: null,
    timeOfDay: { part: isFirst ? 'night' : 'day', basis: 'attributes' },
    metadata: {
      vehicle: { id: isFirst ? 'truck-1' : 'truck-2', hardwareRevision: isFirst ? 'B' : 'A' },
      software: { name: 'agent', version: isFirst ? '1.1' : '1.0' },
      session: { name: isFirst ? 'drive-1' : 'drive-2', attributes: isFirst ? { ground: 'ice' } : {} },
      clock: { source: 'gnss', uncertaintyNs: '0' },
      gaps: [],
      loss: {},
      ...(isFirst ? { brief: 'br-1' } : {}),
      circumstances: isFirst
        ? {
            weather: 'snow',
            placeClass: 'urban',
            firmware: '4.2',
            models: { terrain: '4' },
            operator: 'anna',
            consent: { id: 'form-7', scope: ['training'], expiresAt: '2027-01-01T00:00:00Z' },
            licence: { id: 'CC-BY-4.0', scope: ['training', 'evaluation'], expiresAt: '2027-06-01T00:00:00Z' },
            synthetic: { generator: 'carla', version: '0.9.15', seed: '42' },
          }
        : {},
    },
  };
}

/** One filter for each name, which the first recording matches and the second does not. */
const FILTERS = {
  session: 'session == "drive-1"',
  source: 'source == "uplink"',
  vehicle: 'vehicle == "truck-1"',
  hardwareRevision: 'hardwareRevision == "B"',
  softwareVersion: 'softwareVersion == "1.1"',
  brief: 'brief == "br-1"',
  label: 'label == "ICE"',
  durationSeconds: 'durationSeconds > 60.0',
  attributes: '"ground" in attributes && attributes["ground"] == "ice"',
  weather: 'weather == "snow"',
  placeClass: 'placeClass == "urban"',
  timeOfDay: 'timeOfDay == "night"',
  firmware: 'firmware == "4.2"',
  models: '"terrain" in models && models["terrain"] == "4"',
  operator: 'operator == "anna"',
  consent: 'consent == "form-7"',
  consentScope: '"training" in consentScope',
  consentExpiresAt: 'consentExpiresAt > "2026-11-21"',
  licence: 'licence == "CC-BY-4.0"',
  licenceScope: '"evaluation" in licenceScope',
  licenceExpiresAt: 'licenceExpiresAt > "2027-01-01"',
  synthetic: 'synthetic',
  generator: 'generator == "carla"',
} as const satisfies Record<keyof FilterableRecording, string>;

describe('filters over everything that is known of a recording', () => {
  let folder: string;
  let file: DuckdbFile;
  let projection: Projection;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fleetloop-filters-'));
    const label = { recording: DIGESTS[0], label: 'ICE', annotator: 'anna', method: '' };
    const other = { ...label, recording: DIGESTS[1], label: 'SNOW' };
    const facts = [
      { kind: 'recording.accepted', key: 'a', actor: 'ingest', body: accepted(0) },
      { kind: 'recording.accepted', key: 'b', actor: 'ingest', body: accepted(1) },
      { kind: 'label.assigned', key: 'a', actor: 'anna', body: label },
      { kind: 'label.assigned', key: 'b', actor: 'anna', body: other },
    ] as const;
    const entries = facts.map((fact, index): StoredEntry => {
      const { bytes } = encodeEntry(fact, AT);
      return { sequence: index + 1, bytes, entry: decodeEntry(bytes) };
    });
    file = await DuckdbFile.create(join(folder, 'filters.duckdb'));
    await file.apply(entries);
    projection = {
      query: async (sql, parameters) => file.query(sql, parameters),
      facts: async <Kind extends LedgerEntry['kind']>(kind: Kind) =>
        entries.flatMap(({ sequence, entry }) =>
          entry.kind === kind ? [{ sequence, ...entry } as unknown as StoredFact<Kind>] : [],
        ),
      appliedSequence: () => entries.length,
      waitFor: async () => {},
      rebuild: async () => Promise.reject(new Error('nobody asks')),
    };
  });
  afterAll(async () => {
    await file[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(Object.entries(FILTERS))('%s can be searched for, and selects for a dataset', async (_name, where) => {
    const { recordings } = await listRecordings(projection, { where, limit: 10 });
    expect(recordings.map(({ recording }) => recording)).toEqual([DIGESTS[0]]);
    const matches = compileRecordingFilter(where, 'DATASET_INVALID');
    const catalogue = await catalogueRecordings(projection);
    expect(catalogue.filter(matches).map(({ recording }) => recording)).toEqual([DIGESTS[0]]);
    const specification = {
      kind: 'dataset-specification',
      dataset: 'd',
      version: 'v1',
      description: '',
      include: 'true',
      exclude: [{ where, reason: 'found' }],
      testSessions: ['drive-2'],
    } as const;
    const copy = { ...(catalogue[1] as (typeof catalogue)[number]), recording: DIGESTS[1], session: 'drive-3' };
    const version = planDatasetVersion(
      { ...specification, exclude: [...specification.exclude], testSessions: [...specification.testSessions] },
      DIGESTS[0],
      { recordings: [...catalogue, copy], at: AT },
    );
    expect(version.exclusions).toEqual([{ recording: DIGESTS[0], session: 'drive-1', reason: 'found' }]);
  });
});
