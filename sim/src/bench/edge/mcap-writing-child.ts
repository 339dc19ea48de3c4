/** A process that writes one file, ours or @mcap/core's, and prints one line of JSON: seconds to the end of the fsync, peak memory. */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { zstdCompressSync, constants } from 'node:zlib';
import { McapWriter as CoreWriter } from '@mcap/core';
import { MCAP_CHUNK_BYTES, McapWriter, messageRecordSize, writeMessageRecord } from '@fleetloop/schemas/recording';

const PERIOD_NS = 1_000_000n;
const RUN_BYTES = 256 * 1024;
const LEVEL = { [constants.ZSTD_c_compressionLevel]: 3 };

type Work = {
  readonly payloads: Uint8Array;
  readonly messageBytes: number;
  readonly messages: number;
  readonly compression: 'none' | 'zstd';
};

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) offset += (await file.write(bytes, offset)).bytesWritten;
}

const CHANNEL = { schemaId: 0, topic: '/bench', messageEncoding: 'protobuf', metadata: new Map<string, string>() };

async function ours(file: FileHandle, { payloads, messageBytes, messages, compression }: Work): Promise<void> {
  const writer = new McapWriter({ write: async (bytes) => writeAll(file, bytes) }, { compression });
  const channelId = writer.registerChannel(CHANNEL);
  let start = 0;
  let stampNs = 0n;
  for (let sequence = 0; sequence < messages; sequence += 1) {
    if (start + messageBytes > payloads.length) start = 0;
    const data = payloads.subarray(start, start + messageBytes);
    if (!writer.addMessage(channelId, sequence, stampNs, stampNs, data)) await writer.drain();
    start += messageBytes;
    stampNs += PERIOD_NS;
  }
  await writer.close();
}

/** As the recorder does it: records stand encoded in blocks already (made again for each run, which counts). */
async function oursInRuns(file: FileHandle, { payloads, messageBytes, messages, compression }: Work): Promise<void> {
  const writer = new McapWriter({ write: async (bytes) => writeAll(file, bytes) }, { compression });
  const channelId = writer.registerChannel(CHANNEL);
  const bytes = new Uint8Array(Math.max(RUN_BYTES, messageRecordSize(messageBytes)));
  const memory = { bytes, view: new DataView(bytes.buffer) };
  let start = 0;
  let end = 0;
  const header = { channelId, sequence: 0, logTimeNs: 0n, publishTimeNs: 0n };
  for (; header.sequence < messages; header.sequence += 1) {
    if (start + messageBytes > payloads.length) start = 0;
    end = writeMessageRecord(memory, end, header, payloads.subarray(start, start + messageBytes));
    start += messageBytes;
    header.logTimeNs += PERIOD_NS;
    header.publishTimeNs = header.logTimeNs;
    if (end + messageRecordSize(messageBytes) <= bytes.length) continue;
    if (!writer.addMessageRecords(bytes.subarray(0, end))) await writer.drain();
    end = 0;
  }
  writer.addMessageRecords(bytes.subarray(0, end));
  await writer.close();
}

async function core(file: FileHandle, { payloads, messageBytes, messages, compression }: Work): Promise<void> {
  let size = 0;
  const writable = {
    position: () => BigInt(size),
    write: async (bytes: Uint8Array) => {
      await writeAll(file, bytes);
      size += bytes.length;
    },
  };
  const writer = new CoreWriter({
    writable,
    chunkSize: MCAP_CHUNK_BYTES,
    ...(compression === 'none'
      ? {}
      : {
          compressChunk: (chunk: Uint8Array) => ({
            compression: 'zstd',
            compressedData: zstdCompressSync(chunk, { params: LEVEL }),
          }),
        }),
  });
  await writer.start({ profile: '', library: 'bench' });
  const channelId = await writer.registerChannel(CHANNEL);
  let start = 0;
  let stampNs = 0n;
  for (let sequence = 0; sequence < messages; sequence += 1) {
    if (start + messageBytes > payloads.length) start = 0;
    const data = payloads.subarray(start, start + messageBytes);
    await writer.addMessage({ channelId, sequence, logTime: stampNs, publishTime: stampNs, data });
    start += messageBytes;
    stampNs += PERIOD_NS;
  }
  await writer.end();
}

/** The largest resident size of this process; getrusage would count what the parent had when it forked. */
async function peakBytes(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const kilobytes = /^VmHWM:\s+(\d+)/m.exec(status)?.[1];
  return (kilobytes === undefined ? process.resourceUsage().maxRSS : Number(kilobytes)) * 1_024;
}

const WRITERS = { ours, 'ours-in-runs': oursInRuns, core } as const;

const [writer = '', out = '', payloadFile = '', messageBytes = '', messages = '', compression = ''] =
  process.argv.slice(2);
if (!(writer in WRITERS)) throw new Error(`no writer ${writer}`);
const payloads = await readFile(payloadFile);
const startedMs = performance.now();
const file = await open(out, 'w');
await WRITERS[writer as keyof typeof WRITERS](file, {
  payloads,
  messageBytes: Number(messageBytes),
  messages: Number(messages),
  compression: compression === 'zstd' ? 'zstd' : 'none',
});
await file.sync();
await file.close();
const seconds = (performance.now() - startedMs) / 1_000;
process.stdout.write(`${JSON.stringify({ seconds, peakBytes: await peakBytes() })}\n`);
