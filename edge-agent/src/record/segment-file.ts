/** Segment files of the ring on a disk: appending frames, stepping over them, and reading one back. */
import { FleetError } from '@fleetloop/schemas';
import type { Disk, DiskFile } from '../ports.ts';
import { areWholeRecords } from './message-record.ts';
import { type PackedBlock, unpackRecords } from './packed-block.ts';
import { decodeFrameHeader, FRAME_HEADER_BYTES, type FrameHeader, isPayloadOf } from './segment-frame.ts';

/** Appends frames to a new file. Short writes are continued. */
export class SegmentWriter {
  readonly #file: DiskFile;
  #sizeBytes = 0;

  private constructor(file: DiskFile) {
    this.#file = file;
  }

  static async create(disk: Disk, path: string): Promise<SegmentWriter> {
    return new SegmentWriter(await disk.open(path, 'create'));
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Returns where the frame begins. */
  async append(frame: Uint8Array): Promise<number> {
    const position = this.#sizeBytes;
    await writeAll(this.#file, frame);
    this.#sizeBytes += frame.length;
    return position;
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** The system may take fewer bytes than it was given: the rest is offered again. */
export async function writeAll(file: DiskFile, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    const taken = await file.write(bytes.subarray(offset));
    if (taken === 0) throw Object.assign(new Error('the file takes no more bytes'), { code: 'ENOSPC' });
    offset += taken;
  }
}

export type FoundFrame = { readonly header: FrameHeader; readonly position: number; readonly payload?: Uint8Array };
export type SegmentScan = {
  readonly frames: readonly FoundFrame[];
  readonly sizeBytes: number;
  /** Where the first damage is; what lies behind it is not read. */
  readonly damagedAt?: number;
};

/**
 * Steps over a segment up to its end or to the first damage. The payload of a block is read only where it could be torn, in the last
 * frame: the others were on disk before what follows them, and are checked when they are used.
 */
export async function scanSegment(disk: Disk, path: string): Promise<SegmentScan> {
  const sizeBytes = (await disk.sizeOf(path)) ?? 0;
  const file = await disk.open(path, 'read');
  const frames: FoundFrame[] = [];
  try {
    let position = 0;
    while (position < sizeBytes) {
      const header = decodeFrameHeader(await readExact(file, position, FRAME_HEADER_BYTES));
      const end = position + FRAME_HEADER_BYTES + (header?.payloadBytes ?? 0);
      if (header === undefined || end > sizeBytes) return { frames, sizeBytes, damagedAt: position };
      if (header.kind !== 'block' || end === sizeBytes) {
        const payload = await readExact(file, position + FRAME_HEADER_BYTES, header.payloadBytes);
        if (!isPayloadOf(header, payload)) return { frames, sizeBytes, damagedAt: position };
        frames.push(header.kind === 'block' ? { header, position } : { header, position, payload });
      } else frames.push({ header, position });
      position = end;
    }
    return { frames, sizeBytes };
  } finally {
    await file.close();
  }
}

/** The records of a block. @throws FleetError SPOOL_CORRUPT when they are not what was written */
export async function readBlock(disk: Disk, path: string, frame: FoundFrame): Promise<Uint8Array> {
  const packed = await readPackedBlock(disk, path, frame);
  try {
    const bytes = await unpackRecords(packed);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length === packed.rawBytes && areWholeRecords(bytes, view)) return bytes;
  } catch (cause) {
    throw damaged({ path, frame }, 'cannot be read', cause);
  }
  throw damaged({ path, frame }, 'does not hold whole records');
}

/** A block as it lies there. @throws FleetError SPOOL_CORRUPT when it is not what was written */
export async function readPackedBlock(disk: Disk, path: string, frame: FoundFrame): Promise<PackedBlock> {
  const { header, position } = frame;
  const bytes = await readPart(disk, path, position + FRAME_HEADER_BYTES, header.payloadBytes).catch(
    (cause: unknown) => {
      throw damaged({ path, frame }, 'cannot be read', cause);
    },
  );
  if (!isPayloadOf(header, bytes)) throw damaged({ path, frame }, 'does not have its checksum');
  const { rawBytes, rawCrc, payloadCrc: crc } = header;
  return { compression: header.isCompressed ? 'zstd' : '', bytes, crc, rawBytes, rawCrc };
}

type BlockAt = { readonly path: string; readonly frame: FoundFrame };

function damaged({ path, frame }: BlockAt, why: string, cause?: unknown): FleetError {
  const what = `a block of ${path} at byte ${frame.position} ${why}: the disk may be failing`;
  return new FleetError('SPOOL_CORRUPT', what, { cause });
}

async function readPart(disk: Disk, path: string, position: number, length: number): Promise<Uint8Array> {
  const file = await disk.open(path, 'read');
  try {
    return await readExact(file, position, length);
  } finally {
    await file.close();
  }
}

/** Fewer bytes than asked only at the end of the file. */
export async function readExact(file: DiskFile, position: number, length: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const taken = await file.read(buffer.subarray(filled), position + filled);
    if (taken === 0) break;
    filled += taken;
  }
  return buffer.subarray(0, filled);
}
