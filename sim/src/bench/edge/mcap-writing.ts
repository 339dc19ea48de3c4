/** MCAP writing to a real file with fsync, ours and the peers in turn, each in a process of its own: speed and peak memory. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { scanRecording } from '@fleetloop/schemas/recording';
import { z } from 'zod';
import { runCommand } from '../../stack/run-command.ts';
import { type Measurement, median } from '../measurement.ts';
import type { FigureContext, Figure } from '../figure.ts';
import { type McapPeer, type McapPeerName, mcapPeers } from './mcap-peers.ts';
import { MCAP_CASES, type McapCase, mcapPayloads } from './mcap-workload.ts';

const RSS_MB_MAX = 120;
/** Where no Rust is installed: what its writer reached on a machine like this, MB/s. */
const RUST_MB_PER_S = { none: 271, zstd: 97 } as const;
const CORE_RATIO_MIN = 2.5;
const WRITE_TIMEOUT_MS = 300_000;
const BYTES_PER_MB = 1e6;

const Result = z.object({ seconds: z.number().positive(), peakBytes: z.number() });
type Runs = { readonly megabytesPerSecond: number[]; readonly peakMegabytes: number[] };

export const mcapWriting: readonly Figure[] = MCAP_CASES.map((work) => ({
  name: work.name,
  run: async (context) => measure(work, context),
}));

async function measure(work: McapCase, context: FigureContext): Promise<readonly Measurement[]> {
  const payloads = join(context.folder, 'payloads');
  await writeFile(payloads, mcapPayloads());
  const peers = await mcapPeers(context);
  const runs = new Map<McapPeer, Runs>(peers.map((peer) => [peer, { megabytesPerSecond: [], peakMegabytes: [] }]));
  // Peers take turns, so that whatever else the machine does meets all of them; the first round only warms up.
  for (let round = 0; round <= context.repeats; round += 1) {
    context.onProgress(`round ${round} of ${context.repeats}`);
    for (const [peer, { megabytesPerSecond, peakMegabytes }] of runs) {
      const { seconds, peakBytes } = await writeOnce(peer, work, payloads, context);
      if (round === 0) continue;
      megabytesPerSecond.push((work.messages * work.messageBytes) / BYTES_PER_MB / seconds);
      peakMegabytes.push(peakBytes / BYTES_PER_MB);
    }
  }
  const measured = new Map([...runs].map(([peer, each]) => [peer.name, each]));
  const speeds = [...measured].map(([name, each]) => `${name} ${Math.round(summary(each.megabytesPerSecond).value)}`);
  context.onProgress(`MB/s: ${speeds.join(', ')}`);
  return rows(work, measured);
}

async function writeOnce(
  peer: McapPeer,
  work: McapCase,
  payloads: string,
  { folder, signal }: FigureContext,
): Promise<z.infer<typeof Result>> {
  const out = join(folder, 'out.mcap');
  const options = { signal, timeoutMs: WRITE_TIMEOUT_MS, ...(peer.env === undefined ? {} : { env: peer.env }) };
  const output = await runCommand(peer.command, peer.args(work, out, payloads), options);
  const { messages } = await scanRecording([await readFile(out)]);
  if (messages !== work.messages) throw new Error(`${peer.name} wrote ${messages} of ${work.messages} messages`);
  await rm(out);
  return Result.parse(JSON.parse(output.trim().split('\n').at(-1) ?? ''));
}

function rows(work: McapCase, runs: ReadonlyMap<McapPeerName, Runs>): readonly Measurement[] {
  const speeds = new Map([...runs].map(([name, each]) => [name, summary(each.megabytesPerSecond)]));
  const rust = speeds.get('Rust mcap');
  const core = speeds.get('@mcap/core')?.value ?? Number.NaN;
  const isHeldAgainstRust = work.messageBytes === 1_000;
  const target = isHeldAgainstRust ? (rust?.value ?? RUST_MB_PER_S[work.compression]) : CORE_RATIO_MIN * core;
  const peer =
    isHeldAgainstRust && rust !== undefined
      ? { name: 'Rust mcap', value: rust.value }
      : { name: '@mcap/core', value: core };
  const rowsOf = ([name, each]: [McapPeerName, Runs]): Measurement[] => {
    const isOurs = name === 'fleetloop';
    const base = { bench: 'edge', repeats: each.megabytesPerSecond.length };
    const speed = { ...base, figure: `${work.name}: ${name}`, unit: 'MB/s', ...summary(each.megabytesPerSecond) };
    const memory = { ...base, figure: `${work.name}: ${name}, peak RSS`, unit: 'MB', ...summary(each.peakMegabytes) };
    return isOurs
      ? [
          { ...speed, target: { atLeast: target }, peer },
          { ...memory, target: { atMost: RSS_MB_MAX } },
        ]
      : [name.startsWith('fleetloop') ? { ...speed, peer } : speed, memory];
  };
  return [...runs].flatMap(rowsOf);
}

function summary(values: readonly number[]): { value: number; min: number; max: number } {
  const sorted = values.toSorted((left, right) => left - right);
  return { value: median(sorted), min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 };
}
