/** Writes blocks into segments: each segment says whose blocks it holds and on which channels, so that it can be read without the others. */
import type { AgentClock, Disk } from '../ports.ts';
import { timeAt } from './message-record.ts';
import type { PackedBlock } from './packed-block.ts';
import type { RecordBlock } from './record-block.ts';
import type { RingSegment, RingSegments } from './ring-segments.ts';
import { type FoundFrame, readBlock, readPackedBlock, SegmentWriter } from './segment-file.ts';
import { decodeFrameHeader, encodeFrame, FRAME_HEADER_BYTES } from './segment-frame.ts';
import { encodeChannels, encodeContext, encodeSession } from './segment-texts.ts';
import type { StoredSession } from './stored-session.ts';

const ZERO = { rawBytes: 0, rawCrc: 0, messages: 0, block: 0, earliestNs: 0n, latestNs: 0n };

/** A block that is to be stored. */
export type WaitingBlock = { readonly session: StoredSession; readonly block: RecordBlock; readonly number: number };

export type RingWriterOptions = {
  readonly disk: Disk;
  /** Folder of the segments. */
  readonly root: string;
  readonly clock: AgentClock;
  readonly segments: RingSegments;
  /** Size at which a segment is ended. */
  readonly segmentBytes: number;
};

type OpenFile = {
  readonly segment: RingSegment;
  readonly writer: SegmentWriter;
  /** Channels that it tells, per session. */
  readonly channels: Map<number, number>;
};

export class RingWriter {
  readonly #options: RingWriterOptions;
  #nextSegment = 1;
  #file: OpenFile | undefined;

  constructor(options: RingWriterOptions) {
    this.#options = options;
  }

  /** Names of segments up to this number are taken. */
  startBehind(lastSegment: number): void {
    this.#nextSegment = lastSegment + 1;
  }

  /** Resolves when all of the batch is on disk; one fsync covers it. @throws the disk's own errors */
  async store(batch: readonly WaitingBlock[]): Promise<void> {
    const written: { readonly waiting: WaitingBlock; readonly frame: FoundFrame; readonly segment: RingSegment }[] = [];
    for (const waiting of batch) {
      if (!waiting.block.isInMemory) continue;
      const packed = await waiting.block.pack();
      const { writer, segment } = await this.#fileFor(waiting.session);
      const note = noteFrame(waiting);
      // In front of its block: a segment is read up to the first damage, so that no block is found without what was noted of it.
      if (note !== undefined) await writer.append(note);
      const frame = blockFrame(waiting, packed);
      const position = await writer.append(frame);
      const header = decodeFrameHeader(frame);
      if (header === undefined) throw new Error('a frame that was just made has no header');
      written.push({ waiting, frame: { header, position }, segment });
    }
    if (this.#file === undefined) return;
    await this.#file.writer.sync();
    for (const { waiting, frame, segment } of written) this.#isStored(waiting, frame, segment);
    if (this.#file.writer.sizeBytes >= this.#options.segmentBytes) await this.end();
  }

  /** Ends the open segment. */
  async end(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#options.segments.end();
    await file?.writer.close();
  }

  #isStored({ session, block }: WaitingBlock, frame: FoundFrame, segment: RingSegment): void {
    const { disk, clock } = this.#options;
    block.stored({
      read: async () => readBlock(disk, segment.path, frame),
      readPacked: async () => readPackedBlock(disk, segment.path, frame),
    });
    segment.blocks.push({ session, block });
    segment.sizeBytes = Math.max(segment.sizeBytes, frame.position + FRAME_HEADER_BYTES + frame.header.payloadBytes);
    segment.writtenAtMs = clock.monotonicMs();
    session.blocks.push(block);
  }

  /** The open file, with the session and its channels told in it; all of a batch go into one file. */
  async #fileFor(session: StoredSession): Promise<OpenFile> {
    const file = this.#file ?? (await this.#begin());
    const { writer, channels, segment } = file;
    const header = { ...ZERO, isCompressed: false, session: session.number };
    const told = channels.get(session.number);
    if (told === undefined)
      await writer.append(encodeFrame({ ...header, kind: 'session' }, encodeSession(session.facts)));
    const all = session.channels.all();
    if ((told ?? 0) < all.length)
      await writer.append(
        encodeFrame({ ...header, kind: 'channels' }, encodeChannels(told ?? 0, all.slice(told ?? 0))),
      );
    const latched = told === undefined ? session.latched() : [];
    if (latched.length > 0) await writer.append(encodeFrame({ ...header, kind: 'context' }, encodeContext(latched)));
    channels.set(session.number, all.length);
    segment.sizeBytes = writer.sizeBytes;
    return file;
  }

  async #begin(): Promise<OpenFile> {
    const { disk, root, segments } = this.#options;
    const path = `${root}/segment-${String(this.#nextSegment).padStart(8, '0')}.ring`;
    this.#nextSegment += 1;
    const writer = await SegmentWriter.create(disk, path);
    this.#file = { segment: segments.begin(path), writer, channels: new Map() };
    await disk.syncFolder(root);
    return this.#file;
  }
}

function blockFrame({ session, block, number }: WaitingBlock, packed: PackedBlock): Uint8Array {
  const { rawBytes, rawCrc } = packed;
  const header = {
    kind: 'block',
    isCompressed: packed.compression !== '',
    session: session.number,
    rawBytes,
    rawCrc,
    messages: block.messages,
    block: number,
    earliestNs: timeAt(session.base, block.earliest),
    latestNs: timeAt(session.base, block.latest),
  } as const;
  return encodeFrame(header, packed.bytes);
}

function noteFrame({ session, block, number }: WaitingBlock): Uint8Array | undefined {
  const note = session.notes.of(block);
  if (note === undefined) return undefined;
  return encodeFrame({ ...ZERO, kind: 'note', isCompressed: false, session: session.number, block: number }, note);
}
