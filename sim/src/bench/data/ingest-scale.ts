/** What one small recording costs when 1,000, 10,000 and 100,000 are in the catalogue already. */
import { setTimeout as delay } from 'node:timers/promises';
import { NatsLedger } from '@fleetloop/control-plane';
import { FleetError, type NewFact } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { connect, credsAuthenticator } from '@nats-io/transport-node';
import { type BenchServers, startBenchServers } from '../bench-servers.ts';
import { makeBenchRecording } from '../bench-vehicle.ts';
import { cpuSeconds } from '../edge/process-usage.ts';
import type { FigureContext } from '../figure.ts';
import type { Measurement } from '../measurement.ts';

const LEVELS = [1_000, 10_000, 100_000] as const;
/** Recordings whose cost is measured at each level. */
const SAMPLE = 100;
const FACTS_PER_APPEND = 200;
const CATCH_UP_ATTEMPTS_MAX = 30;
/** A control plane with nothing to do uses less than this of one core, over a window in which it looks for work several times. */
const QUIET_SHARE = 0.05;
const QUIET_WINDOW_MS = 2_000;
const QUIET_WINDOWS_MAX = 60;
const START_NS = 1_790_000_000_000_000_000n;

/** Recordings between the levels are written into the ledger as their facts: what they cost later is the same. */
export async function measureScale({ signal, onProgress }: FigureContext): Promise<readonly Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const servers = await startBenchServers(signal, resources);
  const authenticator = credsAuthenticator(new TextEncoder().encode(servers.nats.serviceUser.creds));
  const connection = resources.adopt(await connect({ servers: servers.nats.url, authenticator }), async (open) =>
    open.close(),
  );
  const ledger = await NatsLedger.open(connection, { now: () => new Date() });
  const rows: Measurement[] = [];
  let count = 0;
  await importSample(servers, 'warm-up', signal);
  for (const level of LEVELS) {
    onProgress(`filling the catalogue to ${level} recordings`);
    for (; count < level; count += FACTS_PER_APPEND)
      await ledger.append(Array.from({ length: FACTS_PER_APPEND }, (_, index) => acceptedFact(count + index)));
    await catchUp(servers, level, signal);
    await quiet(servers, signal);
    const cpuBefore = await cpuSeconds(servers.pid);
    const startedMs = performance.now();
    await importSample(servers, `at-${level}`, signal);
    const wall = (performance.now() - startedMs) / SAMPLE;
    const cpu = (((await cpuSeconds(servers.pid)) - cpuBefore) * 1_000) / SAMPLE;
    rows.push(row(`import of a small recording at ${level} recordings`, wall));
    rows.push(row(`the same, processor time of the control plane`, cpu));
  }
  const [wall = Number.NaN, cpu = Number.NaN, , , lastWall = Number.NaN, lastCpu = Number.NaN] = rows.map(
    ({ value }) => value,
  );
  return [
    ...rows,
    growth('at 100,000 against at 1,000 recordings', lastWall / wall),
    growth('the same, processor time of the control plane', lastCpu / cpu),
  ];
}

/** An answer to an import comes after the projection has reached it: it says so where that takes longer than a caller waits. */
async function catchUp(servers: BenchServers, level: number, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await importSample(servers, `before-${level}-${attempt}`, signal, 1);
    } catch (error) {
      const isBehind = error instanceof FleetError && error.code === 'LEDGER_UNAVAILABLE';
      if (!isBehind || attempt === CATCH_UP_ATTEMPTS_MAX) throw error;
    }
  }
}

/** Indexes follow what was written between the levels in their own time, which is not what one more recording costs. */
async function quiet({ pid }: BenchServers, signal: AbortSignal): Promise<void> {
  for (let window = 1; window <= QUIET_WINDOWS_MAX; window += 1) {
    const before = await cpuSeconds(pid);
    await delay(QUIET_WINDOW_MS, undefined, { signal });
    if ((await cpuSeconds(pid)) - before <= (QUIET_SHARE * QUIET_WINDOW_MS) / 1_000) return;
  }
  throw new FleetError('INTERNAL_UNEXPECTED', 'the control plane works on although nothing is asked of it');
}

async function importSample({ api }: BenchServers, name: string, signal: AbortSignal, count = SAMPLE): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const bytes = await makeBenchRecording({
      vehicleId: 'bench-scale',
      eventId: `ev-${name}-${index}`,
      sizeBytes: 1_000,
      valuesPerMessage: 3,
      messagesMax: 100,
    });
    await api.postBytes('/v1/imports', bytes, { signal });
  }
}

function acceptedFact(index: number): NewFact {
  const recording = digestOfBytes(Buffer.from(`scale ${index}`));
  const startNs = START_NS + BigInt(index) * 1_000_000_000n;
  return {
    kind: 'recording.accepted',
    key: recording.slice('sha256:'.length),
    actor: 'bench',
    evidence: [recording],
    body: {
      recording,
      source: 'import',
      sizeBytes: 10_000,
      messages: 100,
      startNs: String(startNs),
      endNs: String(startNs + 60_000_000_000n),
      topics: { '/vss/Vehicle.Bench': 100 },
      metadata: {
        vehicle: { id: `bench-${index % 200}`, hardwareRevision: 'A' },
        software: { name: 'bench', version: '1.0.0' },
        session: { name: `drive-${index}`, attributes: {} },
        clock: { source: 'bench', uncertaintyNs: '0' },
        gaps: [],
        loss: {},
      },
      manifest: null,
    },
  };
}

function growth(figure: string, times: number): Measurement {
  return { ...row(figure, times), unit: 'times', target: { atMost: 1.2 } };
}

function row(figure: string, value: number): Measurement {
  return { bench: 'data', figure, unit: 'ms', value, min: value, max: value, repeats: 1 };
}
