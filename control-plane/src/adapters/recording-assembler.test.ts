import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Digest, FleetError } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { RecordingWriter } from '@fleetloop/schemas/recording';
import type { StagedPiece } from '../ingest/ports.ts';
import { FolderStaging } from './folder-staging.ts';
import { ThreadedAssembler } from './recording-assembler.ts';

const VEHICLE = 'v-1';
const CHUNK_BYTES = 512;

async function makeRecording(): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const writer = await RecordingWriter.open(
    {
      write: async (bytes) => {
        parts.push(Uint8Array.from(bytes));
      },
    },
    {
      vehicle: { id: VEHICLE, hardwareRevision: 'A' },
      software: { name: 'agent', version: '1.0.0' },
      session: { name: 'drive', attributes: {} },
      clock: { source: 'gnss', uncertaintyNs: '0' },
      gaps: [],
      loss: {},
    },
  );
  const signals = [{ path: 'Vehicle.Speed', field: 'speed', unit: 'm/s' }];
  const channel = { kind: 'signal', topic: '/vss/Vehicle', signals } as const;
  for (let sequence = 0; sequence < 200; sequence += 1) {
    const logTimeNs = BigInt(sequence) * 1_000_000n;
    const values = Float64Array.of(Math.sin(sequence));
    await writer.write({ kind: 'signal', channel, sequence, logTimeNs, publishTimeNs: logTimeNs, values });
  }
  await writer.close();
  return Buffer.concat(parts);
}

describe('ThreadedAssembler', () => {
  let root: string;
  let staging: FolderStaging;
  let assembler: ThreadedAssembler;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'assembler-'));
    staging = await FolderStaging.open(join(root, 'staging'), 0);
    assembler = new ThreadedAssembler();
    await mkdir(join(root, 'out'));
  });

  afterEach(async () => {
    await assembler[Symbol.asyncDispose]();
    await rm(root, { recursive: true, force: true });
  });

  async function stage(bytes: Uint8Array): Promise<readonly StagedPiece[]> {
    const digests: Digest[] = [];
    for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
      const chunk = bytes.subarray(start, start + CHUNK_BYTES);
      const digest = digestOfBytes(chunk);
      await staging.put(VEHICLE, digest, chunk);
      digests.push(digest);
    }
    return staging.locate(VEHICLE, digests);
  }

  async function emptyFile(name: string): Promise<string> {
    const path = join(root, 'out', name);
    await writeFile(path, '');
    return path;
  }

  it('the chunks become the recording, with its digest and what is in it', async () => {
    const bytes = await makeRecording();
    const path = await emptyFile('good');
    const assembled = await assembler.assemble(await stage(bytes), path);
    expect(assembled).toMatchObject({ digest: digestOfBytes(bytes), sizeBytes: bytes.length });
    expect(assembled.check).toMatchObject({
      kind: 'good',
      summary: { messages: 200, startNs: 0n, endNs: 199_000_000n, topics: { '/vss/Vehicle': 200 } },
    });
    expect(Buffer.compare(await readFile(path), bytes)).toBe(0);
  });

  it('bytes that are no recording are written to their end and named by code', async () => {
    const bytes = new Uint8Array(3 * CHUNK_BYTES + 7).map((_, index) => (index * 31) >> 3);
    const path = await emptyFile('bad');
    const assembled = await assembler.assemble(await stage(bytes), path);
    expect(assembled.digest).toBe(digestOfBytes(bytes));
    expect(assembled.check).toMatchObject({ kind: 'bad', error: { code: 'INGEST_MCAP_INVALID' } });
    expect(Buffer.compare(await readFile(path), bytes)).toBe(0);
  });

  it('a chunk that cannot be read is a failure to try again, and the next recording is assembled', async () => {
    const bytes = await makeRecording();
    const chunks = await stage(bytes);
    const gone = await staging.locate(VEHICLE, [digestOfBytes(Uint8Array.of(1))]);
    const path = await emptyFile('first');
    await expect(assembler.assemble([...chunks, ...gone], path)).rejects.toMatchObject({
      code: 'RECORD_WRITE',
      retryable: true,
    });
    const next = await assembler.assemble(chunks, await emptyFile('second'));
    expect(next.check.kind).toBe('good');
  });

  it('a recording in work when the thread ends is a failure to try again, and a new thread takes the next', async () => {
    const chunks = await stage(await makeRecording());
    const interrupted = assembler.assemble(chunks, await emptyFile('first'));
    const [outcome] = await Promise.allSettled([interrupted, assembler[Symbol.asyncDispose]()]);
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'RECORD_WRITE' } });
    const next = await assembler.assemble(chunks, await emptyFile('second'));
    expect(next.check.kind).toBe('good');
  });

  it('a stream becomes the same recording as chunks, however it is cut and wherever it was interrupted', async () => {
    const bytes = await makeRecording();
    for (const [partBytes, keptBytes] of [
      [1_000, 0],
      [bytes.length, 0],
      [777, 1],
      [4_096, bytes.length - 1],
      [4_096, bytes.length],
    ] as const) {
      const path = await emptyFile(`stream-${partBytes}-${keptBytes}`);
      await writeFile(path, bytes.subarray(0, keptBytes));
      const assembled = await assembler.assembleStream(partsOf(bytes.subarray(keptBytes), partBytes), {
        path,
        keptBytes,
      });
      expect(assembled).toMatchObject({ digest: digestOfBytes(bytes), check: { kind: 'good' } });
      expect(Buffer.compare(await readFile(path), bytes)).toBe(0);
    }
  });

  it('a stream that breaks off is a failure with its own code, and what came stands in the file', async () => {
    const bytes = await makeRecording();
    const path = await emptyFile('broken');
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 1_000);
      throw new FleetError('INGEST_LIMIT', 'too much');
    };
    await expect(assembler.assembleStream(broken(), { path, keptBytes: 0 })).rejects.toMatchObject({
      code: 'INGEST_LIMIT',
    });
    expect(new Uint8Array(await readFile(path))).toEqual(Uint8Array.from(bytes.subarray(0, 1_000)));
  });

  it('a file that cannot be written ends the stream instead of taking all of it', async () => {
    let taken = 0;
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) {
        taken += 1;
        yield new Uint8Array(1024 * 1024);
      }
    };
    const path = join(root, 'missing', 'file');
    await expect(assembler.assembleStream(endless(), { path, keptBytes: 0 })).rejects.toMatchObject({
      retryable: true,
    });
    expect(taken).toBeLessThan(100);
  });
});

function* cut(bytes: Uint8Array, partBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += partBytes) yield bytes.subarray(at, at + partBytes);
}

async function* partsOf(bytes: Uint8Array, partBytes: number): AsyncGenerator<Uint8Array> {
  yield* cut(bytes, partBytes);
}
