/**
 * Verifies a whole recording: every record, every CRC, and everything that its indexes and statistics claim. One pass over the bytes;
 * memory is bounded by one chunk and some bytes per chunk of the file. It goes on behind a fault, so that all of them are named.
 */
import { crc32 } from 'node:zlib';
import { FieldReader, OPCODE, RECORD_HEADER_BYTES } from './mcap-bytes.ts';
import { type McapFooter, readAttachmentHead, readFooter } from './mcap-fields.ts';
import { type McapFrame, MCAP_RECORD_HELD_BYTES_MAX } from './mcap-frames.ts';
import type { McapBytes } from './mcap-memory.ts';
import { McapWalk } from './mcap-walk.ts';
import { crcOf } from './salvage-hints.ts';
import { ChunkVerifier } from './verify-chunk.ts';
import { FaultList, type RecordingFault } from './verify-faults.ts';
import { SummaryVerifier } from './verify-summary.ts';
import { RecordingTruth } from './verify-truth.ts';

export type RecordingVerdict = {
  readonly isWhole: boolean;
  readonly sizeBytes: number;
  readonly messages: number;
  readonly chunks: number;
  readonly attachments: number;
  readonly metadata: number;
  /** CRCs that were there and were compared. */
  readonly checksums: number;
  /** Messages that no checksum covers: other bytes in their data show nowhere. */
  readonly unproven: number;
  /** Messages whose log time is earlier than that of the message before; allowed, and slow to read in order. */
  readonly unordered: number;
  readonly faults: readonly RecordingFault[];
  /** All faults, also those beyond the maximum that the list keeps. */
  readonly faultCount: number;
};

export type VerifyOptions = {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((byte: number) => void) | undefined;
};

/** @throws FleetError SOURCE_FORMAT when the bytes are no MCAP at all */
export async function verifyRecording(bytes: McapBytes, options: VerifyOptions = {}): Promise<RecordingVerdict> {
  return new Verification(bytes, options).run();
}

class Verification {
  readonly #bytes: McapBytes;
  readonly #options: VerifyOptions;
  readonly #walk: McapWalk;
  readonly #faults = new FaultList();
  readonly #truth = new RecordingTruth();
  readonly #chunks = new ChunkVerifier(this.#faults, this.#truth);
  readonly #summary = new SummaryVerifier(this.#faults, this.#truth);
  #part: 'start' | 'data' | 'summary' | 'behind' = 'start';
  #footer: { readonly frame: McapFrame; readonly footer: McapFooter } | undefined;

  constructor(bytes: McapBytes, options: VerifyOptions) {
    this.#bytes = bytes;
    this.#options = options;
    this.#walk = new McapWalk(bytes, { signal: options.signal });
  }

  async run(): Promise<RecordingVerdict> {
    for await (const item of this.#walk.items()) {
      if (item.kind === 'damage')
        this.#faults.add(
          'structure',
          { opcode: 0, byte: item.fromByte },
          `${item.why}; ${item.toByte - item.fromByte} bytes hold no record`,
        );
      else if (item.kind === 'end') await this.#takeEnd(item);
      else await this.#takeRecord(item);
      if (item.kind === 'record') this.#options.onProgress?.(item.offset);
    }
    this.#summary.finish(this.#footer?.footer);
    const truth = this.#truth;
    return {
      isWhole: this.#faults.count === 0,
      sizeBytes: this.#bytes.sizeBytes,
      messages: truth.messages,
      chunks: truth.chunks.size,
      attachments: truth.attachments.size,
      metadata: truth.metadata.size,
      checksums: truth.checksums,
      unproven: truth.unproven,
      unordered: truth.unordered,
      faults: this.#faults.list,
      faultCount: this.#faults.count,
    };
  }

  async #takeRecord(frame: McapFrame): Promise<void> {
    const place = { opcode: frame.opcode, byte: frame.offset };
    if (frame.mended !== undefined) this.#faults.add('structure', place, frame.mended);
    this.#checkPart(frame);
    if (frame.opcode === OPCODE.attachment) return this.#takeAttachment(frame);
    const content = await this.#walk.content(frame);
    if (frame.opcode === OPCODE.dataEnd) return this.#takeDataEnd(frame, new FieldReader(content).uint32());
    if (frame.opcode === OPCODE.footer) {
      this.#footer = { frame, footer: readFooter(new FieldReader(content)) };
      return;
    }
    if (this.#part === 'summary') return this.#summary.take(frame, content);
    this.#chunks.take(frame, content);
  }

  /** Header, data, data end, summary, footer: each record has its part of the file. */
  #checkPart({ opcode, offset }: McapFrame): void {
    const place = { opcode, byte: offset };
    if (this.#part === 'start' && opcode !== OPCODE.header)
      this.#faults.add('order', place, 'the first record of the file is no header');
    if (this.#part === 'data' && opcode === OPCODE.header) this.#faults.add('order', place, 'a second header');
    if (this.#part === 'start') this.#part = 'data';
    const isAllowed =
      opcode > OPCODE.dataEnd ||
      (this.#part === 'data' ? IN_DATA.has(opcode) : this.#part === 'summary' && IN_SUMMARY.has(opcode));
    if (!isAllowed) this.#faults.add('order', place, `this record cannot stand in the ${PART_NAMES[this.#part]}`);
    if (opcode === OPCODE.footer) this.#part = 'behind';
  }

  async #takeDataEnd(frame: McapFrame, crc: number): Promise<void> {
    this.#part = 'summary';
    this.#summary.begin(frame.offset + frame.recordBytes);
    if (crc === 0) return;
    this.#truth.checksums += 1;
    if ((await crcOf(this.#bytes, frame.offset, this.#options.signal)) === crc) this.#truth.unproven = 0;
    else
      this.#faults.add('data-crc', { opcode: frame.opcode, byte: frame.offset }, 'the CRC of the data section differs');
  }

  async #takeAttachment(frame: McapFrame): Promise<void> {
    const place = { opcode: frame.opcode, byte: frame.offset };
    const headBytes = Math.min(
      frame.recordBytes - RECORD_HEADER_BYTES,
      MCAP_RECORD_HELD_BYTES_MAX,
      ATTACHMENT_HEAD_BYTES,
    );
    const start = frame.offset + RECORD_HEADER_BYTES;
    const head = readAttachmentHead(new FieldReader(await this.#bytes.read(start, headBytes)));
    this.#truth.attachments.set(frame.offset, { ...head, recordBytes: frame.recordBytes });
    const summedBytes = frame.fieldBytes - CRC_BYTES;
    const crc = new FieldReader(await this.#bytes.read(start + summedBytes, CRC_BYTES)).uint32();
    if (crc === 0) return;
    this.#truth.checksums += 1;
    if ((await this.#crcOfRange(start, summedBytes)) !== crc)
      this.#faults.add('attachment-crc', place, `the CRC of attachment ${JSON.stringify(head.name)} differs`);
  }

  async #crcOfRange(from: number, length: number): Promise<number> {
    let crc = 0;
    for (let offset = 0; offset < length; offset += CRC_PIECE_BYTES) {
      this.#options.signal?.throwIfAborted();
      crc = crc32(await this.#bytes.read(from + offset, Math.min(CRC_PIECE_BYTES, length - offset)), crc);
    }
    return crc;
  }

  async #takeEnd({
    hasMagic,
    bytesBehind,
  }: {
    readonly hasMagic: boolean;
    readonly bytesBehind: number;
  }): Promise<void> {
    const { sizeBytes } = this.#bytes;
    if (!hasMagic || this.#footer === undefined)
      this.#faults.add(
        'truncated',
        { opcode: OPCODE.footer, byte: sizeBytes },
        'the file has no footer and closing magic bytes: it is cut off',
      );
    if (bytesBehind > 0)
      this.#faults.add(
        'structure',
        { opcode: 0, byte: sizeBytes - bytesBehind },
        `${bytesBehind} bytes follow the end`,
      );
    if (this.#footer !== undefined) await this.#checkSummaryCrc(this.#footer);
  }

  async #checkSummaryCrc({ frame, footer }: { readonly frame: McapFrame; readonly footer: McapFooter }): Promise<void> {
    if (footer.summaryCrc === 0) return;
    this.#truth.checksums += 1;
    const start = footer.summaryStart === 0n ? frame.offset : Number(footer.summaryStart);
    const summedBytes = frame.offset + RECORD_HEADER_BYTES + FOOTER_SUMMED_BYTES - start;
    if (start > frame.offset || (await this.#crcOfRange(start, summedBytes)) !== footer.summaryCrc)
      this.#faults.add('summary-crc', { opcode: frame.opcode, byte: frame.offset }, 'the CRC of the summary differs');
  }
}

const ATTACHMENT_HEAD_BYTES = 4_096;
const CRC_BYTES = 4;
const CRC_PIECE_BYTES = 1024 * 1024;
const FOOTER_SUMMED_BYTES = 16;
const PART_NAMES = {
  start: 'start',
  data: 'data section',
  summary: 'summary',
  behind: 'part behind the footer',
} as const;
const IN_DATA: ReadonlySet<number> = new Set([
  OPCODE.header,
  OPCODE.schema,
  OPCODE.channel,
  OPCODE.message,
  OPCODE.chunk,
  OPCODE.messageIndex,
  OPCODE.attachment,
  OPCODE.metadata,
  OPCODE.dataEnd,
]);
const IN_SUMMARY: ReadonlySet<number> = new Set([
  OPCODE.schema,
  OPCODE.channel,
  OPCODE.statistics,
  OPCODE.metadataIndex,
  OPCODE.attachmentIndex,
  OPCODE.chunkIndex,
  OPCODE.summaryOffset,
  OPCODE.footer,
]);
