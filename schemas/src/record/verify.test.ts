/** Verification: files that are right pass, and any byte that is changed is found, in whichever record it stands. */
import { zstdCompressSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FleetError } from '../errors/fleet-error.ts';
import { describeRecording } from './describe-recording.ts';
import { MAGIC, OPCODE } from './mcap-bytes.ts';
import { memoryBytes } from './mcap-memory.ts';
import { MemorySink } from './mcap-test-sinks.ts';
import { readStoredMessages } from './recording-messages.ts';
import { salvageRecording } from './salvage.ts';
import { placeMessages, realBag, realDrive, rewrite } from './salvage-test-files.ts';
import { verifyRecording } from './verify.ts';

type Vector = { readonly name: string; readonly mcap: string; readonly records: readonly { readonly type: string }[] };
const vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures/mcap-conformance/vectors.json'), 'utf8'),
) as readonly Vector[];
const bytesOf = (vector: Vector): Uint8Array => Buffer.from(vector.mcap, 'base64');
const drive = await placeMessages(realDrive());
const own = await rewrite(drive, { compression: 'none', chunkBytes: 4_096, messages: 60 });

async function countMessages(bytes: Uint8Array): Promise<number> {
  let count = 0;
  for await (const batch of readStoredMessages(memoryBytes(bytes))) count += batch.length;
  return count;
}

const u64 = (value: bigint): Uint8Array => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};
const recordOf = (opcode: number, content: Uint8Array): Uint8Array =>
  Buffer.concat([Uint8Array.of(opcode), u64(BigInt(content.length)), content]);
const chunkOf = (packed: Uint8Array, claimed: bigint): Uint8Array =>
  recordOf(
    OPCODE.chunk,
    Buffer.concat([
      u64(0n),
      u64(0n),
      u64(claimed),
      Buffer.alloc(4),
      Uint8Array.of(4, 0, 0, 0),
      Buffer.from('zstd'),
      u64(BigInt(packed.length)),
      packed,
    ]),
  );
const fileOf = (...records: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat([MAGIC, recordOf(OPCODE.header, Buffer.alloc(8)), ...records]);

describe('verify', () => {
  it.each(vectors)('finds no fault in the conformance file $name, and the messages that it has', async (vector) => {
    const bytes = bytesOf(vector);
    const messages = vector.records.filter(({ type }) => type === 'Message').length;
    const verdict = await verifyRecording(memoryBytes(bytes));
    expect(verdict.faults).toEqual([]);
    expect(verdict.messages).toBe(messages);
    const countOf = (type: string): number => vector.records.filter((each) => each.type === type).length;
    // Whatever parts of the summary the writer has left out.
    const described = await describeRecording(memoryBytes(bytes));
    expect(described.messages).toBe(messages);
    expect(described.attachments).toHaveLength(countOf('Attachment'));
    expect(described.metadata).toHaveLength(countOf('Metadata'));
    expect(described.channels.every(({ schemaName }) => (schemaName === '') === (countOf('Schema') === 0))).toBe(true);
    expect(await countMessages(bytes)).toBe(messages);
  });

  it.each([
    ['a drive', realDrive()],
    ['a ROS 2 bag', realBag()],
    ['a file of ours', own],
  ])('finds no fault in %s', async (_name, bytes) => {
    expect(await verifyRecording(memoryBytes(bytes))).toMatchObject({ isWhole: true, faults: [] });
  });

  it('counts the messages that no checksum covers', async () => {
    expect(await verifyRecording(memoryBytes(realBag()))).toMatchObject({ messages: 7, unproven: 7 });
    expect(await verifyRecording(memoryBytes(own))).toMatchObject({ messages: 60, unproven: 0 });
  });

  it('finds a schema that differs from its copy in the summary where no checksum covers it', async () => {
    const { definitions } = await placeMessages(realBag());
    const changed = Uint8Array.from(realBag());
    const last = (definitions.find(({ key }) => key.startsWith('schema '))?.toByte ?? 0) - 1;
    changed[last] = (changed[last] as number) ^ 1;
    const { faults } = await verifyRecording(memoryBytes(changed));
    expect(faults).toEqual([expect.objectContaining({ rule: 'summary-schema' })]);
  });

  it('finds every changed byte of a file of ours and names a place in it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(own.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const changed = Uint8Array.from(own);
        changed[at] = (changed[at] as number) ^ mask;
        const verdict = await verifyRecording(memoryBytes(changed));
        expect(verdict.isWhole).toBe(false);
        expect(verdict.faults[0]?.byte).toBeLessThanOrEqual(own.length);
      }),
      { numRuns: 150 },
    );
  });

  it('finds every file that ends too early', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 40, max: own.length - 1 }), async (length) => {
        expect((await verifyRecording(memoryBytes(own.subarray(0, length)))).isWhole).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a hostile file', () => {
  const bomb = zstdCompressSync(new Uint8Array(32 * 1024 * 1024));
  const files: readonly (readonly [string, Uint8Array])[] = [
    ['a chunk that would unpack to thousands of times its size', fileOf(chunkOf(bomb, 32n * 1024n * 1024n))],
    ['a chunk that claims more than any may have', fileOf(chunkOf(bomb, 2n ** 62n))],
    ['a chunk that unpacks to more than it claims', fileOf(chunkOf(bomb, 10n))],
    [
      'a record that claims all memory',
      fileOf(Buffer.concat([Uint8Array.of(OPCODE.schema), u64(2n ** 63n), Buffer.alloc(50)])),
    ],
    [
      'a list that claims more than its record',
      fileOf(recordOf(OPCODE.messageIndex, Buffer.from([1, 0, 255, 255, 255, 255]))),
    ],
  ];

  it.each(files)('with %s has a fault, and is read, described and salvaged within bounds', async (_what, bytes) => {
    expect((await verifyRecording(memoryBytes(bytes))).isWhole).toBe(false);
    expect((await describeRecording(memoryBytes(bytes))).isComplete).toBe(false);
    await expect(countMessages(bytes)).rejects.toThrow(FleetError);
    const report = await salvageRecording(memoryBytes(bytes), new MemorySink());
    expect(report).toMatchObject({ isWhole: false, kept: { messages: 0 } });
  });

  it.each([
    ['no byte', new Uint8Array(0)],
    ['other content', Buffer.from('this is no recording at all, whatever its name says')],
    ['only zeros', new Uint8Array(100_000)],
  ])('with %s is refused as no MCAP', async (_what, bytes) => {
    const run = verifyRecording(memoryBytes(bytes));
    await expect(run).rejects.toMatchObject({ code: 'SOURCE_FORMAT' });
    await expect(salvageRecording(memoryBytes(bytes), new MemorySink())).rejects.toMatchObject({
      code: 'SOURCE_FORMAT',
    });
  });

  it('of any bytes behind the magic is refused or described, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (tail) => {
        const bytes = memoryBytes(Buffer.concat([MAGIC, tail]));
        expect((await verifyRecording(bytes)).isWhole).toBe(false);
        await describeRecording(bytes);
        await salvageRecording(bytes, new MemorySink());
      }),
      { numRuns: 100 },
    );
  });
});
