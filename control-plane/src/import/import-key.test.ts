import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { describe, expect, it } from 'vitest';
import { type ImportInput, importKey } from './import-key.ts';
import { planImport, type PlannedRun } from './import-plan.ts';

const one = digestOfBytes(Uint8Array.of(1));
const two = digestOfBytes(Uint8Array.of(2));

function input(overrides: Partial<ImportInput> = {}, said: object = {}): ImportInput {
  const document = { kind: 'import-specification', vehicle: 'v1', runs: [{ source: 'drive/imu_1.csv', ...said }] };
  const run = planImport(document, '/data').runs[0] as PlannedRun;
  return { run, files: [{ path: '/data/drive/imu_1.csv', digest: one }], mapping: { format: 'csv' }, ...overrides };
}

describe('the key of an import', () => {
  it('stays when the archive is mounted elsewhere, and when only the label is another', () => {
    const moved = { ...input(), files: [{ path: '/mnt/other/imu_1.csv', digest: one }] };
    expect(importKey(moved)).toBe(importKey(input()));
    expect(importKey(input({}, { label: 'ICE' }))).toBe(importKey(input()));
  });

  it.each([
    ['the content of a file', input({ files: [{ path: '/data/drive/imu_1.csv', digest: two }] })],
    ['a further file', input({ files: [...input().files, { path: '/x/pro_1.csv', digest: two }] })],
    ['the mapping', input({ mapping: { format: 'csv', session: { name: 'x' } } })],
    ['the vehicle', input({}, { vehicle: 'v2' })],
    ['an attribute', input({}, { attributes: { place: 'x' } })],
    ['the weather', input({}, { weather: 'rain' })],
    ['the seed of a simulation', input({}, { synthetic: { generator: 'g', version: '1', seed: '7' } })],
  ])('changes with %s', (_what, changed) => {
    expect(importKey(changed)).not.toBe(importKey(input()));
  });
});
