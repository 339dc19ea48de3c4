// Why this file exists: an inference is named by its sequence for ever, so numbers must not repeat after a restart; they are reserved
// on disk in blocks, and a restart skips what is left of a block.
import { join } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { readIfPresent, writeDurably } from '../install/slot-folders.ts';

const BLOCK = 1_000n;

export interface SequenceCounter {
  /** The next number, from 1. */
  next(): Promise<bigint>;
}

/** @throws FleetError INSTALL_INCOMPATIBLE when the file of the counter is damaged */
export async function openSequenceCounter(folder: string): Promise<SequenceCounter> {
  const path = join(folder, 'sequence');
  const bytes = await readIfPresent(path);
  const text = bytes === undefined ? '1' : Buffer.from(bytes).toString('utf8');
  if (!/^[1-9]\d{0,18}$/.test(text)) {
    throw new FleetError('INSTALL_INCOMPATIBLE', 'the inference counter on disk is damaged: enrol the vehicle anew');
  }
  let next = BigInt(text);
  let reserved = next;
  return {
    async next() {
      if (next === reserved) {
        await writeDurably(path, Buffer.from(String(reserved + BLOCK)));
        reserved += BLOCK;
      }
      next += 1n;
      return next - 1n;
    },
  };
}
