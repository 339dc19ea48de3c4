/** The demo, run as a user runs it: real servers, real processes, real recordings; then its figures are held to account. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Summary } from '@fleetloop/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const MAIN = join(import.meta.dirname, '../../sim/src/demo/main.ts');
const DEMO_TIMEOUT_MS = 590_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const ALL_VEHICLES = ['vehicle-1', 'vehicle-2', 'vehicle-3', 'vehicle-4', 'vehicle-5', 'vehicle-6'];

let folder: string;
let summary: Summary;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-demo-'));
  await promisify(execFile)(process.execPath, [MAIN, '--out', folder], {
    timeout: DEMO_TIMEOUT_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  summary = Summary.parse(JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8')));
}, DEMO_TIMEOUT_MS);

afterAll(async () => rm(folder, { recursive: true, force: true }));

const gateOf = (dataset: string, featureSet: string) =>
  summary.gates.find((gate) => gate.dataset === dataset && gate.featureSet === featureSet);
const rolloutOf = (name: string) => summary.rollouts.find((rollout) => rollout.name === name);

describe('the demo', () => {
  it('captures the 48 listed events and no other', () => {
    expect(summary.events).toEqual({ expected: 48, captured: 48, extra: 0 });
  });

  it('refuses v1 for ICE though its overall accuracy looks fine', () => {
    const gate = gateOf('v1', 'norms');
    expect(gate?.verdict).toBe('failed');
    expect(gate?.decidedBy).toContain('ICE');
    expect(gate?.overall).toBeGreaterThan(0.75);
  });

  it('passes v2', () => {
    expect(gateOf('v2', 'norms')?.verdict).toBe('passed');
  });

  it('refuses v3 for ASPHALT', () => {
    const gate = gateOf('v3', 'norms');
    expect(gate?.verdict).toBe('failed');
    expect(gate?.decidedBy).toContain('ASPHALT');
  });

  it('passes the per-axis candidate, which gains ICE recall in evaluation', () => {
    const ice = (featureSet: string): number =>
      gateOf('v2', featureSet)?.slices.find((slice) => slice.name === 'ICE')?.value ?? 0;
    expect(gateOf('v2', 'axes')?.verdict).toBe('passed');
    expect(ice('axes')).toBeGreaterThan(ice('norms'));
  });

  it('rolls the norms model out to all vehicles', () => {
    expect(rolloutOf('norms')).toMatchObject({ outcome: 'healthy', rolledBack: [] });
    expect(rolloutOf('norms')?.updated.toSorted()).toEqual(ALL_VEHICLES);
  });

  it('rolls the per-axis model back from every vehicle that had it, by itself', () => {
    const rollout = rolloutOf('axes');
    expect(rollout?.outcome).toBe('rolled_back');
    expect(rollout?.updated.length).toBeGreaterThan(1);
    expect(rollout?.rolledBack.toSorted()).toEqual(rollout?.updated.toSorted());
    expect(rollout?.updated.length).toBeLessThan(ALL_VEHICLES.length);
  });

  it('closes the loop: the gate now refuses the model that went wrong', () => {
    expect(summary.loop.refusesFormerModel).toBe(true);
    expect(summary.loop.recordings).toBeGreaterThan(0);
    expect(summary.loop.dataset).toBe('terrain/v4');
    const rolledOut = summary.rollouts.some((rollout) => rollout.name === 'fix' && rollout.outcome === 'healthy');
    expect(rolledOut).toBe(summary.loop.verdict === 'passed');
  });

  it('holds both feature engines together on every feature', () => {
    expect(summary.parity.length).toBe(80);
    for (const { feature, worstRelative } of summary.parity) expect(worstRelative, feature).toBeLessThan(1e-6);
  });

  it('traces the anomaly and verifies the ledger', () => {
    expect(summary.trace.nodes).toBeGreaterThan(50);
    expect(summary.trace.edges).toBeGreaterThan(50);
    expect(summary.ledger.verified).toBe(true);
    expect(summary.ledger.entries).toBeGreaterThan(100);
  });
});
