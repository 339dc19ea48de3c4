/** The disk is where the surprises are: files that are absent, cut off or not what their name says. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import type { SourceMessage } from '@fleetloop/schemas';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadMapping, openSource } from './open-source.ts';

const csvMapping = {
  format: 'csv',
  session: { name: 's/{drive}' },
  files: [
    {
      name: 'drive_{drive}.csv',
      time: { column: 't', kind: 'seconds', epoch: '2020-01-01T00:00:00Z' },
      channels: [{ topic: '/vss/Vehicle', signals: [{ path: 'Vehicle.Speed', column: 'v', unit: 'km/h' }] }],
    },
  ],
};
const npyMapping = {
  format: 'npy',
  session: { name: 's' },
  folderName: 'arrays',
  time: { kind: 'seconds' },
  arrays: [],
  can: {
    time: 't',
    bus: 'bus',
    address: 'address',
    data: 'data',
    topic: '/can/{bus}/raw',
    buses: [0],
    lostTrailingZeros: true,
    databases: [{ file: 'car.dbc', buses: [0] }],
    channels: [
      {
        topic: '/vss/Vehicle',
        bus: 0,
        message: 'SPEED',
        signals: [{ path: 'Vehicle.Speed', signal: ['S', 'FRACTION'], unit: 'km/h' }],
      },
    ],
  },
};
const DBC = 'BO_ 5 SPEED: 4 X\n SG_ S : 7|8@0+ (1,0) [0|0] "" X\n SG_ FRACTION : 15|8@0+ (0.1,0) [0|0] "" X\n';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-capture-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(name: string, content: string | Uint8Array): Promise<string> {
  await mkdir(join(folder, name, '..'), { recursive: true });
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

async function read(mapping: unknown, sourcePath: string): Promise<readonly SourceMessage[]> {
  const source = await openSource({
    ...(await loadMapping(await write('mapping.json', JSON.stringify(mapping)))),
    sourcePath,
  });
  const messages: SourceMessage[] = [];
  for await (const batch of source.batches()) messages.push(...batch);
  return messages;
}

function npy(descr: string, rows: number, data: Uint8Array): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${rows},), }\n`;
  return Buffer.concat([
    Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]),
    Buffer.from(header),
    data,
  ]);
}
const doubles = (...values: readonly number[]) => new Uint8Array(Float64Array.from(values).buffer);
const longs = (...values: readonly bigint[]) => new Uint8Array(BigInt64Array.from(values).buffer);

/** Two frames of the known id 5 and one of an unknown id, all stored as NumPy stores byte strings. */
async function writeArrays(rows = 3): Promise<string> {
  await write('car.dbc', DBC);
  await write('arrays/t.npy', npy('<f8', 3, doubles(1, 2, 3)));
  await write('arrays/bus.npy', npy('<i8', 3, longs(0n, 0n, 7n)));
  await write('arrays/address.npy.zst', zstdCompressSync(npy('<i8', 3, longs(5n, 5n, 6n))));
  const payloads = Uint8Array.of(100, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0);
  await write('arrays/data.npy', npy('|S8', rows, payloads.subarray(0, rows * 8)));
  return join(folder, 'arrays');
}

describe('openSource with CSV', () => {
  const text = 't,v\n0.5,10\n1.5,20\n';

  it('reads plain and compressed files alike, and adds the epoch', async () => {
    const plain = await read(csvMapping, await write('drive_1.csv', text));
    const packed = await read(csvMapping, await write('drive_2.csv.zst', zstdCompressSync(Buffer.from(text))));
    expect(plain.map((message) => message.logTimeNs)).toEqual([1577836800500000000n, 1577836801500000000n]);
    expect(packed).toEqual(plain);
  });

  it('refuses a compressed file that is cut off or not compressed', async () => {
    const packed = zstdCompressSync(Buffer.from(`t,v\n${'0.5,10\n'.repeat(20_000)}`));
    const contents = [packed.subarray(0, packed.length - 5), Buffer.from(text)];
    for (const [index, content] of contents.entries()) {
      const path = await write(`drive_${index}.csv.zst`, content);
      await expect(read(csvMapping, path)).rejects.toMatchObject({ code: 'SOURCE_FORMAT' });
    }
  });

  it('refuses a source that does not exist or is a folder', async () => {
    await mkdir(join(folder, 'drive_9.csv'));
    for (const name of ['drive_8.csv', 'drive_9.csv']) {
      await expect(read(csvMapping, join(folder, name))).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
    }
  });

  it('stops with its signal', async () => {
    const path = await write('drive_1.csv', `t,v\n${'1,2\n'.repeat(200_000)}`);
    const controller = new AbortController();
    const mapping = await loadMapping(await write('mapping.json', JSON.stringify(csvMapping)));
    const source = await openSource({ ...mapping, sourcePath: path, signal: controller.signal });
    const batches = source.batches();
    await batches.next();
    controller.abort();
    const rest = async (): Promise<void> => {
      for await (const batch of batches) expect(batch.length).toBeGreaterThan(0);
    };
    await expect(rest()).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('openSource with arrays and raw CAN', () => {
  it('keeps every frame, fills up known ones only, and decodes the signals that are named', async () => {
    const messages = await read(npyMapping, await writeArrays());
    const shown = messages.map((message) => [
      message.channel.topic,
      message.sequence,
      message.kind === 'signal' ? [...message.values] : [...message.data],
    ]);
    expect(shown).toEqual([
      ['/can/0/raw', 0, [0x10, 5, 0x1a, 4, 100, 5, 0, 0]],
      ['/vss/Vehicle', 0, [100.5]],
      ['/can/0/raw', 1, [0x10, 5, 0x1a, 4, 0, 0, 0, 0]],
      ['/vss/Vehicle', 1, [0]],
      ['/can/7/raw', 0, [0x08, 7, 0x10, 6, 0x1a, 1, 9]],
    ]);
  });

  it('refuses arrays of different length, and absent ones', async () => {
    await expect(read(npyMapping, await writeArrays(2))).rejects.toMatchObject({ code: 'SOURCE_FORMAT' });
    const arrays = await writeArrays();
    await rm(join(arrays, 'bus.npy'));
    await expect(read(npyMapping, arrays)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
  });

  it('refuses a stamp that is not a time', async () => {
    const arrays = await writeArrays();
    await write('arrays/t.npy', npy('<f8', 3, doubles(1, Number.NaN, 3)));
    await expect(read(npyMapping, arrays)).rejects.toMatchObject({ code: 'SOURCE_VALUE_INVALID', details: { row: 1 } });
  });

  it('refuses messages, signals and databases that are not there', async () => {
    const arrays = await writeArrays();
    const channel = npyMapping.can.channels[0];
    const withCan = (change: object) => ({ ...npyMapping, can: { ...npyMapping.can, ...change } });
    const unknownMessage = withCan({ channels: [{ ...channel, message: 'SPEDE' }] });
    const unknownSignal = withCan({
      channels: [{ ...channel, signals: [{ path: 'Vehicle.Speed', signal: 'T', unit: 'm/s' }] }],
    });
    await expect(read(unknownMessage, arrays)).rejects.toMatchObject({ code: 'MAPPING_INVALID' });
    await expect(read(unknownSignal, arrays)).rejects.toMatchObject({ code: 'MAPPING_INVALID' });
    await expect(read(withCan({ databases: [{ file: 'no.dbc', buses: [0] }] }), arrays)).rejects.toMatchObject({
      code: 'SOURCE_NOT_FOUND',
    });
  });

  it('follows imports of databases, also in a circle, and never out of their folder', async () => {
    const arrays = await writeArrays();
    await write('car.dbc', 'CM_ "IMPORT base.dbc";\n');
    await write('base.dbc', `CM_ "IMPORT car.dbc";\n${DBC}`);
    expect(await read(npyMapping, arrays)).toHaveLength(5);
    await write('car.dbc', 'CM_ "IMPORT ../base.dbc";\n');
    await expect(read(npyMapping, arrays)).rejects.toMatchObject({ code: 'DBC_INVALID' });
  });
});

describe('loadMapping', () => {
  it('refuses what is absent or not JSON', async () => {
    await expect(loadMapping(join(folder, 'no.json'))).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
    await expect(loadMapping(await write('mapping.json', '{'))).rejects.toMatchObject({ code: 'MAPPING_INVALID' });
  });
});
