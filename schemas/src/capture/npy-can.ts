/** Raw CAN in NumPy arrays: one frame from the same row of four arrays. */
import { CAN_FRAME_DATA_BYTES_MAX } from '../can/can-frame.ts';
import type { CanReader } from './can-reader.ts';
import type { NpyCanMapping } from './mapping-formats.ts';
import type { NpyBatch } from './npy-reader.ts';
import type { SourceMessage } from './source-message.ts';

/** Makes the messages of the frame in one row of the arrays time, bus, address and data. */
export function startNpyFrames(
  can: CanReader,
  mapping: NpyCanMapping,
): (batches: readonly NpyBatch[], row: number, timeNs: bigint) => readonly SourceMessage[] {
  const read = can.start();
  return ([, buses, addresses, payloads], row, timeNs) => {
    if (buses === undefined || addresses === undefined || payloads === undefined)
      throw new Error('CAN arrays are missing');
    const bus = buses.numberAt(row, 0);
    const id = addresses.numberAt(row, 0);
    const knownBytes = mapping.lostTrailingZeros ? can.knownSizeBytes(bus, id) : undefined;
    return read({ bus, id, data: payloadAt(payloads, row, knownBytes) }, timeNs);
  };
}

/**
 * A byte string of NumPy has lost its trailing zero bytes, and with them its length. The length of a known message is the one
 * of its DBC; for an unknown one the bytes that are certain are kept and nothing is made up.
 */
function payloadAt(payloads: NpyBatch, row: number, knownBytes: number | undefined): Uint8Array {
  const width = payloads.bytes.length / payloads.rows;
  const padded = payloads.bytes.subarray(row * width, (row + 1) * width);
  let length = width;
  while (length > 0 && padded[length - 1] === 0) length -= 1;
  const wanted = Math.min(Math.max(length, knownBytes ?? 0), CAN_FRAME_DATA_BYTES_MAX);
  if (wanted <= width) return padded.subarray(0, wanted);
  const filled = new Uint8Array(wanted);
  filled.set(padded);
  return filled;
}
