/** A recording of ours is judged alike wherever it is: as a file by `recording check`, and on its way into the catalogue. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CheckReport,
  checkFile,
  checkRecording,
  defaultStandard,
  diskSourceFiles,
  RecordingCheck,
} from '@fleetloop/control-plane';
import type { RecordingMetadata } from '@fleetloop/schemas';
import {
  encodeSignalValues,
  type McapMetadataRecord,
  McapWriter,
  recordingChannel,
  recordingSchema,
  toMetadataRecords,
} from '@fleetloop/schemas/recording';
import { clockStep, type Fault, flipped, gap, jump, repeated, SECOND_HALF } from './fault-injection.ts';
import { readReal } from './real-recordings.ts';

const METADATA: RecordingMetadata = {
  vehicle: { id: 'v-1', hardwareRevision: 'A' },
  software: { name: 'agent', version: '1.0.0' },
  session: { name: 'drive', attributes: { place: 'Omaha' } },
  clock: { source: 'gnss', uncertaintyNs: '0' },
  gaps: [],
  loss: {},
};
const DEVICE: McapMetadataRecord = { name: 'foxglove', metadata: new Map([['deviceId', 'v-2']]) };
const AS_IT_IS: Fault = (messages) => messages;
/** Every fortieth message is written after those of the next three seconds. */
const writtenLate: Fault = (messages) =>
  messages
    .map((message, index) => ({ message, key: message.logTimeNs + (index % 40 === 39 ? 3_000_000_000n : 0n) }))
    .toSorted((a, b) => Number(a.key - b.key))
    .map(({ message }) => message);

type Drive = readonly [dataset: string, path: string];
const DRIVES: readonly Drive[] = [
  ['blackbox_drives', 'drive_04.csv.zst'],
  ['blackbox_drives', 'drive_28.csv.zst'],
  ['borealtc', 'ICE/imu_07.csv.zst'],
];
const FAULTS: readonly (readonly [name: string, fault: Fault])[] = [
  ['as it is', AS_IT_IS],
  ['with messages written late', writtenLate],
  ['with its clock set back', clockStep(-30)],
  ['with a gap in all topics', gap(/./, { from: 0.4, to: 0.6 })],
  ['with messages twice', repeated(/./, { from: 0.4, to: 0.6 })],
  ['with a flipped axis', flipped(/Vertical$/, SECOND_HALF)],
];
const PLACE_FAULT = ['with a jump', jump(0.5, SECOND_HALF)] as const;

/** Also channels that have no message, as a writer may that knows its topics before it starts. */
async function write([dataset, path]: Drive, fault: Fault, records = toMetadataRecords(METADATA)): Promise<Buffer> {
  const { messages, channels } = await readReal(dataset, path);
  const parts: Uint8Array[] = [];
  const sink = { write: async (bytes: Uint8Array) => void parts.push(Uint8Array.from(bytes)) };
  const writer = new McapWriter(sink, { compression: 'zstd', library: 'test' });
  for (const record of records) writer.addMetadata(record);
  const ids = new Map<string, number>();
  for (const channel of channels) {
    const schema = recordingSchema(channel);
    const schemaId = schema === undefined ? 0 : writer.registerSchema(schema);
    ids.set(channel.topic, writer.registerChannel({ ...recordingChannel(channel), schemaId }));
  }
  for (const message of fault(messages)) {
    if (message.kind !== 'signal') continue;
    const { channel, values, sequence, logTimeNs, publishTimeNs } = message;
    const id = ids.get(channel.topic) ?? 0;
    if (!writer.addMessage(id, sequence, logTimeNs, publishTimeNs, encodeSignalValues(values))) await writer.drain();
  }
  await writer.close();
  return Buffer.concat(parts);
}

async function atIngest(bytes: Buffer): Promise<CheckReport | undefined> {
  return (await checkRecording(asStream(bytes), new RecordingCheck(defaultStandard()))).report;
}

/** In parts as they come over a link. */
async function* asStream(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += 65_536) yield bytes.subarray(offset, offset + 65_536);
}

describe('the check of a recording', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fleetloop-agreement-'));
  });
  afterAll(async () => rm(folder, { recursive: true }));

  async function asFile(bytes: Buffer): Promise<CheckReport> {
    const path = join(folder, 'recording.mcap');
    await writeFile(path, bytes);
    const { report } = await checkFile(path, { files: diskSourceFiles, standard: defaultStandard() });
    const { file: _file, ...rest } = report;
    return rest;
  }

  const cases = DRIVES.flatMap((drive) =>
    [...FAULTS, ...(drive[0] === 'blackbox_drives' ? [PLACE_FAULT] : [])].map(([name, fault]) => ({
      path: drive[1],
      drive,
      name,
      fault,
    })),
  );
  it.each(cases)('says of $path $name as a file what it says at ingest', async ({ drive, fault }) => {
    const bytes = await write(drive, fault);
    const report = await asFile(bytes);
    expect(report).toEqual(await atIngest(bytes));
    if (fault !== AS_IT_IS) expect(report.findings).not.toEqual([]);
  });

  it('finds steps back that a reader puts in order, the largest of many, and topics that are announced only', async () => {
    const drive = ['blackbox_drives', 'drive_04.csv.zst'] as const;
    const rules = async (bytes: Buffer) => (await atIngest(bytes))?.findings.map(({ rule }) => rule);
    expect(await rules(await write(drive, writtenLate))).toContain('clock.backwards');
    const silent = (messages: Parameters<Fault>[0]) => messages.filter(({ channel }) => !/Acc/.test(channel.topic));
    expect(await rules(await write(drive, silent))).toContain('completeness.topic');
  });

  it('quarantines a recording that names two vehicles', async () => {
    const own = toMetadataRecords(METADATA).filter(({ name }) => name !== DEVICE.name);
    const bytes = await write(['blackbox_drives', 'drive_28.csv.zst'], AS_IT_IS, [...own, DEVICE]);
    const report = await asFile(bytes);
    expect(report.verdict).toBe('quarantined');
    expect(report).toEqual(await atIngest(bytes));
  });

  it('quarantines what ingest refuses: a recording that is cut off, or whose bytes were changed', async () => {
    const bytes = await write(['blackbox_drives', 'drive_28.csv.zst'], AS_IT_IS);
    const changed = Buffer.from(bytes);
    const place = Math.floor(bytes.length / 3);
    changed[place] = (changed[place] ?? 0) ^ 0x10;
    for (const damaged of [bytes.subarray(0, Math.floor(bytes.length / 2)), changed]) {
      expect((await asFile(damaged)).verdict).toBe('quarantined');
      await expect(atIngest(damaged)).rejects.toMatchObject({ code: 'INGEST_MCAP_INVALID' });
    }
  });
});
