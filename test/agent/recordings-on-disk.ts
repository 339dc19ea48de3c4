/** Why: what a recording says of itself is read back from the file that the agent has written, not from what the agent says. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createZstdDecompress } from 'node:zlib';
import type { RecordingMetadata, SourceMessage } from '@fleetloop/schemas';
import { fromMetadataRecords, type McapMetadataRecord, readRecording } from '@fleetloop/schemas/recording';

export type FoundRecording = {
  readonly file: string;
  readonly metadata: RecordingMetadata;
  readonly messages: readonly SourceMessage[];
};

/** Every recording that waits in the spool of an agent. */
export const recordingsIn = async (stateDir: string): Promise<readonly FoundRecording[]> =>
  recordingsBelow(join(stateDir, 'spool', 'queue'));

/** Every recording of a folder. */
export async function recordingsBelow(folder: string): Promise<readonly FoundRecording[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.mcap'));
  return Promise.all(names.map(async (name) => readFound(join(folder, name))));
}

async function readFound(file: string): Promise<FoundRecording> {
  const records: McapMetadataRecord[] = [];
  const messages: SourceMessage[] = [];
  for await (const item of readRecording([await readFile(file)])) {
    if (item.kind === 'metadata') records.push(item.record);
    else messages.push(item.message);
  }
  return { file, metadata: fromMetadataRecords(records), messages };
}

const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** All bytes of a folder: the files as they are, and everything in them that is compressed, unpacked. */
export async function bytesBelow(folder: string): Promise<Buffer> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const parts: Buffer[] = [];
  for (const entry of entries.filter((each) => each.isFile())) {
    const bytes = await readFile(join(entry.parentPath, entry.name));
    parts.push(bytes, ...(await unpackedFrames(bytes)));
  }
  return Buffer.concat(parts);
}

async function unpackedFrames(bytes: Buffer): Promise<readonly Buffer[]> {
  const found: Buffer[] = [];
  for (let at = bytes.indexOf(ZSTD_MAGIC); at !== -1; at = bytes.indexOf(ZSTD_MAGIC, at + 1))
    found.push(await unpack(bytes.subarray(at)));
  return found;
}

/** What comes out of the frame that begins here; what follows the frame is no frame. */
async function unpack(bytes: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  const stream = createZstdDecompress();
  const over = new Promise<void>((resolve) => stream.on('error', () => resolve()).on('close', () => resolve()));
  stream.on('data', (part: Buffer) => parts.push(part)).end(bytes);
  await over;
  return Buffer.concat(parts);
}
