/** Why: a cut must cost at most what was on the link at that moment, and nothing may be lost or taken twice. */
import type { FactBody } from '@fleetloop/schemas';
import { steadyLink } from '@fleetloop/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { CHUNK_BYTES, enrolVehicle, UplinkRig } from './uplink-rig.ts';

const TIMEOUT_MS = 120_000;
const MIB = 1_024 * 1_024;
const CUTS = 20;
/** How many times longer a round trip takes on a machine that has other work. */
const BUSY = 2;
/** Connecting, subscribing, heartbeats of the link: per connection, bytes. */
const CONNECTION_BYTES = 4_096;

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;

beforeAll(async () => {
  bench = await openIngestBench();
  controlPlane = await bench.start();
});
afterAll(async () => {
  await bench?.[Symbol.asyncDispose]();
});

describe('a link that is cut 20 times', () => {
  it('costs one chunk and the window at each cut, and brings everything once', async () => {
    const vehicle = await enrolVehicle(controlPlane.api, 'cuts-1');
    const bytesPerS = 8 * MIB;
    const delayMs = 10;
    const script = {
      ...steadyLink({ bytesPerS, delayMs }, 7),
      cutsAtBytes: Array.from({ length: CUTS }, (_, index) => (index + 1) * 400_000),
    };
    await using rig = await UplinkRig.start({ vehicle, natsUrl: bench.nats.url, script });
    const sizes = await Promise.all([rig.record('ev-a', 'normal', 8), rig.record('ev-b', 'bulk', 8)]);
    const needed = sizes.reduce((sum, size) => sum + size, 0);
    await expect
      .poll(() => rig.ended().toSorted(), { timeout: TIMEOUT_MS })
      .toEqual(['ev-a verified', 'ev-b verified']);
    const { up, cuts } = rig.proxy.counts();
    expect(cuts).toBe(CUTS);
    // What had come out at the other end and still had to come again: less than one chunk for each cut.
    expect(up.delivered - needed).toBeLessThan(CUTS * (CHUNK_BYTES + CONNECTION_BYTES));
    // The window: two chunks, and a quarter more than what is on its way there and back, which a busy machine makes longer.
    const thereAndBack = (bytesPerS * 2 * delayMs * BUSY) / 1_000;
    expect(up.onLink - up.delivered).toBeLessThan(CUTS * (2 * CHUNK_BYTES + 1.25 * thereAndBack));
  });

  it('brings everything through losses and an outage as well', async () => {
    const vehicle = await enrolVehicle(controlPlane.api, 'cuts-2');
    const script = {
      ...steadyLink({ bytesPerS: 8 * MIB, delayMs: 5, lossShare: 0.05, retransmitMs: 40 }, 11),
      events: [
        { kind: 'outage', atMs: 500, forMs: 1_500 },
        { kind: 'silence', atMs: 2_500, forMs: 500 },
      ] as const,
    };
    await using rig = await UplinkRig.start({ vehicle, natsUrl: bench.nats.url, script });
    await rig.record('ev-c', 'normal', 8);
    await rig.record('ev-d', 'safety', 1);
    await expect
      .poll(() => rig.ended().toSorted(), { timeout: TIMEOUT_MS })
      .toEqual(['ev-c verified', 'ev-d verified']);
    // A receipt that is late is asked for again, so that it may come twice; what it tells of is there once.
    const accepted = (await bench.readLedger()).filter(({ kind }) => kind === 'recording.accepted');
    const told = accepted.map(({ body }) => (body as FactBody<'recording.accepted'>).metadata);
    const events = told.flatMap(({ vehicle: { id }, event }) => (id === 'cuts-2' ? [event?.id ?? ''] : []));
    expect(events.toSorted()).toEqual(['ev-c', 'ev-d']);
  });
});
