/** The uplink on bad links: how soon an urgent event is through, what cuts cost, and how much of a link is used. */
import { subjects } from '@fleetloop/schemas';
import { steadyLink } from '../../link/link-script.ts';
import { waitUntil } from '../../world/wait-until.ts';
import { startBenchServers } from '../bench-servers.ts';
import type { Measurement } from '../measurement.ts';
import type { FigureContext, Figure } from '../figure.ts';
import { CHUNK_BYTES, UplinkSubject } from './uplink-subject.ts';

const MB = 1_000_000;
/** 2 GB. */
const BULK_BYTES = 30_518 * CHUNK_BYTES;
const EVENT_BYTES = 2_048;
const SLOW_BYTES_PER_S = MB;
const UNDER_WAY_BYTES = 3 * MB;
const START_TIMEOUT_MS = 60_000;
const DELAY_MS = 20;

const CUTS = 20;
const CUT_BYTES_PER_S = 4 * MB;
const CUT_RECORDINGS = 10;
const CUT_RECORDING_BYTES = 24 * MB;
const LOSS = { lossShare: 0.05, retransmitMs: 200 };

const RATES = [
  { name: '1 MB/s', bytesPerS: MB, sizeBytes: 12 * MB, lossShare: 0 },
  { name: '1 MB/s, 5 % loss', bytesPerS: MB, sizeBytes: 12 * MB, lossShare: LOSS.lossShare },
  { name: '10 MB/s', bytesPerS: 10 * MB, sizeBytes: 64 * MB, lossShare: 0 },
] as const;

export const uplinkFigures: readonly Figure[] = [
  { name: 'uplink urgent', run: measureUrgent },
  { name: 'uplink cuts', run: measureCuts },
  { name: 'uplink goodput', run: measureGoodput },
];

async function measureUrgent({ signal, repeats }: FigureContext): Promise<readonly Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const servers = await startBenchServers(signal, resources);
  const seconds: number[] = [];
  const chunksAhead: number[] = [];
  for (let round = 1; round <= repeats; round += 1) {
    const script = steadyLink({ bytesPerS: SLOW_BYTES_PER_S, delayMs: DELAY_MS }, round);
    await using subject = await UplinkSubject.start(servers, `urgent-${round}`, script);
    const put = await subject.record(`ev-urgent-${round}`, 'safety', EVENT_BYTES);
    subject.announce(`ev-bulk-${round}`, 'bulk', BULK_BYTES);
    await waitUntil(async () => (subject.proxy.counts().up.onLink > UNDER_WAY_BYTES ? true : undefined), {
      what: 'the bulk upload',
      timeoutMs: START_TIMEOUT_MS,
      signal,
    });
    const startedAtMs = performance.now();
    put();
    seconds.push(((await subject.verified(`ev-urgent-${round}`, signal)) - startedAtMs) / 1_000);
    chunksAhead.push((subject.link.aheadBytes.get(subjects.chunk(subject.id, 'safety')) ?? 0) / CHUNK_BYTES);
  }
  return [
    figureOf('class 0 event behind 2 GB bulk at 1 MB/s, verified after', 's', seconds, { atMost: 2 }),
    // What the link still works on counts as well: one chunk on its way, and what waits behind it.
    figureOf('class 0 event behind 2 GB bulk, unanswered chunks ahead', 'chunks', chunksAhead, { atMost: 2 }),
  ];
}

async function measureCuts({ signal, onProgress }: FigureContext): Promise<readonly Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const servers = await startBenchServers(signal, resources);
  const total = CUT_RECORDINGS * CUT_RECORDING_BYTES;
  const script = {
    ...steadyLink({ bytesPerS: CUT_BYTES_PER_S, delayMs: DELAY_MS, ...LOSS }, 1),
    cutsAtBytes: Array.from({ length: CUTS }, (_, index) => ((index + 0.5) * total) / CUTS),
  };
  await using subject = await UplinkSubject.start(servers, 'cuts', script);
  let neededBytes = 0;
  for (let index = 0; index < CUT_RECORDINGS; index += 1) {
    const put = await subject.record(`ev-cuts-${index}`, 'normal', CUT_RECORDING_BYTES);
    neededBytes += put();
    await subject.verified(`ev-cuts-${index}`, signal);
    onProgress(`${index + 1} of ${CUT_RECORDINGS} recordings, ${subject.proxy.counts().cuts} cuts`);
  }
  const { up, cuts } = subject.proxy.counts();
  if (cuts < CUTS) throw new Error(`the link was cut ${cuts} times instead of ${CUTS}`);
  const name = `bytes sent / needed, ${CUTS} cuts and 5 % loss`;
  // Most of it was on the link when it was cut; what had come through and was sent again stands by itself.
  const twice = Math.max(0, up.delivered - neededBytes);
  return [
    figureOf(name, '', [up.onLink / neededBytes], { atMost: 1.02 }),
    figureOf('bytes lost on the link per cut', 'kB', [(up.onLink - up.delivered) / cuts / 1_000], undefined),
    figureOf('bytes that had arrived and were sent again per cut', 'kB', [twice / cuts / 1_000], undefined),
  ];
}

async function measureGoodput({ signal }: FigureContext): Promise<readonly Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const servers = await startBenchServers(signal, resources);
  const figures: Measurement[] = [];
  for (const [index, { name, bytesPerS, sizeBytes, lossShare }] of RATES.entries()) {
    const script = steadyLink({ bytesPerS, delayMs: DELAY_MS, ...LOSS, lossShare }, 1);
    await using subject = await UplinkSubject.start(servers, `goodput-${index}`, script);
    const put = await subject.record(`ev-goodput-${index}`, 'normal', sizeBytes);
    const startedAtMs = performance.now();
    const sent = put();
    const seconds = ((await subject.arrived(`ev-goodput-${index}`, signal)) - startedAtMs) / 1_000;
    await subject.verified(`ev-goodput-${index}`, signal);
    figures.push(figureOf(`goodput / link rate, ${name}`, '', [sent / seconds / bytesPerS], { atLeast: 0.9 }));
  }
  return figures;
}

function figureOf(figure: string, unit: string, values: readonly number[], target: Measurement['target']): Measurement {
  const sorted = values.toSorted((left, right) => left - right);
  const [min = 0] = sorted;
  const value = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const shown = { bench: 'edge', figure, unit, value, min, max: sorted.at(-1) ?? 0, repeats: values.length };
  return target === undefined ? shown : { ...shown, target };
}
