import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NewFact } from '@fleetloop/schemas';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DuckdbFile } from '../adapters/duckdb-file.ts';
import { decodeEntry, encodeEntry } from '../ledger/entry-coding.ts';
import type { Projection } from '../ports.ts';
import { projectionFor, ProjectionAsOf } from './as-of.ts';
import { TABLE_NAMES } from './tables.ts';

const START_MS = 1_790_000_000_000;
const ENTRIES = 40;
const QUESTIONS = [
  'SELECT * FROM vehicles ORDER BY ALL',
  'SELECT recording, label FROM current_labels ORDER BY ALL',
  'WITH newest AS (SELECT max(sequence) AS s FROM facts) SELECT f.key FROM facts f, newest WHERE f.sequence = newest.s',
  'SELECT count(*) AS n FROM labels l JOIN facts f USING (sequence) WHERE f.entity IN (SELECT entity FROM facts)',
  'SELECT v.vehicle_id FROM main.vehicles v WHERE false',
];

/** Enrolments and labels in turn; three recordings are labelled again and again. */
function fact(index: number): NewFact {
  if (index % 2 === 0) {
    const body = { vehicleId: `v-${index}`, publicKey: 'U', hardwareRevision: 'A', softwareVersion: '1', place: '' };
    return { kind: 'vehicle.enrolled', key: `v-${index}`, actor: 'a', body };
  }
  const recording = `sha256:${String(index % 3).repeat(64)}`;
  const body = { recording, label: `label ${index}`, annotator: 'anna', method: '' };
  return { kind: 'label.assigned', key: recording.slice(7), actor: 'anna', body };
}

let folder: string;
const resources = new AsyncDisposableStack();
/** After 0, 1, 2 … entries. */
const then: DuckdbFile[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-as-of-'));
  const entries = Array.from({ length: ENTRIES }, (_, index) => {
    const { bytes } = encodeEntry(fact(index), new Date(START_MS + index * 1_000));
    return { sequence: index + 1, bytes, entry: decodeEntry(bytes) };
  });
  for (const size of [1, 7, 8, 20, ENTRIES]) {
    const file = resources.use(await DuckdbFile.create(join(folder, `p-${size}.duckdb`)));
    await file.apply(entries.slice(0, size));
    then[size] = file;
  }
});
afterAll(async () => {
  await resources.disposeAsync();
  await rm(folder, { recursive: true, force: true });
});

function serving(file: DuckdbFile): Projection {
  const unused = async (): Promise<never> => Promise.reject(new Error('nobody asks'));
  return {
    query: async (sql, parameters) => file.query(sql, parameters),
    appliedSequence: () => file.applied,
    waitFor: async () => {},
    facts: unused,
    rebuild: unused,
  };
}

describe('the projection as of an entry', () => {
  it.each([1, 7, 8, 20, ENTRIES])('answers what the projection of the first %s entries answers', async (size) => {
    const view = new ProjectionAsOf(serving(then[ENTRIES] as DuckdbFile), size);
    const tables = TABLE_NAMES.map((table) => `SELECT * FROM "${table}" ORDER BY ALL`);
    for (const sql of [...QUESTIONS, ...tables]) expect(await view.query(sql)).toEqual(await then[size]?.query(sql));
    expect(view.appliedSequence()).toBe(size);
  });

  it('takes a time as the last entry at or before it', async () => {
    const whole = serving(then[ENTRIES] as DuckdbFile);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: ENTRIES * 1_000 }), async (afterMs) => {
        const asOf = new Date(START_MS + afterMs).toISOString();
        const view = await projectionFor(whole, { asOf, limit: '5' });
        expect(view.appliedSequence()).toBe(Math.min(ENTRIES, Math.floor(afterMs / 1_000) + 1));
      }),
      { numRuns: 30 },
    );
    expect(await projectionFor(whole, {})).toBe(whole);
    await expect(projectionFor(whole, { asOf: '2001-01-01T00:00:00Z' })).rejects.toMatchObject({
      code: 'TRACE_UNKNOWN',
    });
    for (const asOf of ['yesterday', '-1', "1'; DROP TABLE facts", '2026-11-20T10:00'])
      await expect(projectionFor(whole, { asOf })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });

  it('still answers SELECT only, with the parameters of the question', async () => {
    const view = new ProjectionAsOf(serving(then[ENTRIES] as DuckdbFile), 3);
    expect(await view.query('SELECT vehicle_id FROM vehicles WHERE vehicle_id = $id', { id: 'v-2' })).toHaveLength(1);
    for (const sql of [
      'DROP TABLE facts',
      'SELECT 1) FROM facts; DROP TABLE facts; SELECT (1',
      'INSERT INTO labels SELECT * FROM labels',
    ])
      await expect(view.query(sql)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });
});
