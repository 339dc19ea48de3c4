/** Why: what matters most must not wait behind what is large, nor may a budget that bulk has used up keep it back. */
import { steadyLink } from '@fleetloop/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { CHUNK_BYTES, enrolVehicle, UplinkRig } from './uplink-rig.ts';

const TIMEOUT_MS = 120_000;
const MIB = 1_024 * 1_024;

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;

beforeAll(async () => {
  bench = await openIngestBench();
  controlPlane = await bench.start();
});
afterAll(async () => {
  await bench?.[Symbol.asyncDispose]();
});

describe('a safety recording', () => {
  it('passes a bulk one that is under way, with at most two chunks in front of it', async () => {
    const vehicle = await enrolVehicle(controlPlane.api, 'urgency-1');
    const script = steadyLink({ bytesPerS: MIB, delayMs: 10 });
    await using rig = await UplinkRig.start({ vehicle, natsUrl: bench.nats.url, script });
    await rig.record('ev-bulk', 'bulk', 16);
    const up = (): number => rig.proxy.counts().up.onLink;
    await expect.poll(up, { timeout: TIMEOUT_MS }).toBeGreaterThan(10 * CHUNK_BYTES);
    const before = rig.uplink.explainEvent('ev-bulk')?.chunksLeft ?? 0;
    const sizeBytes = await rig.record('ev-safety', 'safety', 0.02);
    await expect
      .poll(() => rig.uplink.explainEvent('ev-safety')?.phase, { timeout: TIMEOUT_MS, interval: 1 })
      .toBe('asking');
    // Its one chunk is at the server: what left the bulk recording since then was on its way already, or filled the wait for the answer.
    const after = rig.uplink.explainEvent('ev-bulk')?.chunksLeft ?? 0;
    expect(sizeBytes).toBeLessThan(CHUNK_BYTES);
    expect(before - after).toBeLessThanOrEqual(4);
    await expect.poll(() => rig.ended(), { timeout: TIMEOUT_MS }).toContain('ev-safety verified');
    expect(rig.ended()).not.toContain('ev-bulk verified');
  });

  it('goes on when bulk has used up its part of the day', async () => {
    const vehicle = await enrolVehicle(controlPlane.api, 'urgency-2');
    const dailyBytes = 3 * MIB;
    const config = { networks: { wifi: { dailyBytes, safetyReserveBytes: 2 * MIB } } };
    await using rig = await UplinkRig.start({ vehicle, natsUrl: bench.nats.url, script: steadyLink(), config });
    await rig.record('ev-bulk', 'bulk', 8);
    const leftFor = (): object => rig.uplink.explain().network.leftTodayBytes;
    await expect
      .poll(() => rig.uplink.explain().network.leftTodayBytes.bulk, { timeout: TIMEOUT_MS })
      .toBeLessThan(2 * CHUNK_BYTES);
    const sizeBytes = await rig.record('ev-safety', 'safety', 1);
    await expect.poll(() => rig.ended(), { timeout: TIMEOUT_MS }).toEqual(['ev-safety verified']);
    expect(sizeBytes).toBeGreaterThan(2 * CHUNK_BYTES);
    expect(leftFor()).toMatchObject({ bulk: expect.any(Number), safety: expect.any(Number) });
    // Day and reserve are counted with the framing, so the link never carries more than the budget and the link's own talk.
    expect(rig.proxy.counts().up.onLink).toBeLessThan(dailyBytes);
  });
});
