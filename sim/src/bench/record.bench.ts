/** Writing recordings to a real file with fsync: our layout over the MCAP library, beside the plain library. */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { McapWriter } from '@mcap/core';
import type { SignalChannel } from '@fleetloop/schemas';
import { RecordingWriter } from '@fleetloop/schemas/recording';
import { type Bench, repeat } from './measurement.ts';

const MESSAGES = 200_000;
const SIGNALS = 6;
const MESSAGE_BYTES = SIGNALS * 9;

const channel: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle.Motion',
  signals: Array.from({ length: SIGNALS }, (_, index) => ({
    path: `Vehicle.Motion.S${index}`,
    field: `s${index}`,
    unit: 'm/s^2',
  })),
};

const metadata = {
  vehicle: { id: 'bench', hardwareRevision: 'A' },
  software: { name: 'bench', version: '0' },
  session: { name: 'bench', attributes: {} },
  clock: { source: 'bench', uncertaintyNs: '0' },
  gaps: [],
  loss: {},
};

type Writable = { readonly position: () => bigint; readonly write: (bytes: Uint8Array) => Promise<unknown> };

async function toFile(work: (writable: Writable) => Promise<void>): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'fleetloop-bench-'));
  const file = await open(join(folder, 'recording.mcap'), 'w');
  let size = 0;
  const startedMs = performance.now();
  try {
    await work({
      position: () => BigInt(size),
      write: async (bytes) => {
        await file.write(bytes);
        size += bytes.length;
      },
    });
    await file.sync();
    return MESSAGES / ((performance.now() - startedMs) / 1_000);
  } finally {
    await file.close();
    await rm(folder, { recursive: true });
  }
}

const ours = async (): Promise<number> =>
  toFile(async (writable) => {
    const writer = await RecordingWriter.open(writable, metadata);
    for (let index = 0; index < MESSAGES; index += 1) {
      const time = BigInt(index) * 1_000_000n;
      const values = Float64Array.from({ length: SIGNALS }, (_, signal) => index * 0.001 + signal);
      await writer.write({ kind: 'signal', channel, sequence: index, logTimeNs: time, publishTimeNs: time, values });
    }
    await writer.close();
  });

const plain = async (): Promise<number> =>
  toFile(async (writable) => {
    const writer = new McapWriter({
      writable,
      compressChunk: (chunk) => ({ compression: 'zstd', compressedData: zstdCompressSync(chunk) }),
    });
    await writer.start({ profile: '', library: 'bench' });
    const channelId = await writer.registerChannel({
      schemaId: 0,
      topic: '/bench',
      messageEncoding: 'protobuf',
      metadata: new Map(),
    });
    const data = new Uint8Array(MESSAGE_BYTES);
    for (let index = 0; index < MESSAGES; index += 1) {
      const time = BigInt(index) * 1_000_000n;
      await writer.addMessage({ channelId, sequence: index, logTime: time, publishTime: time, data });
    }
    await writer.end();
  });

export const recordBench: Bench = {
  name: 'record',
  description:
    'recordings written to a file with fsync, 54-byte signal messages, chunk CRC, zstd; peer: @mcap/core with the same compression and ready-made bytes',
  run: async ({ repeats }) => {
    const figure = await repeat(repeats, ours);
    const peer = await repeat(repeats, plain);
    return [
      {
        bench: 'record',
        figure: 'messages written',
        unit: 'messages/s',
        ...figure,
        peer: { name: '@mcap/core', value: peer.value },
      },
    ];
  },
};
