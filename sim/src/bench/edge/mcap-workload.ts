/**
 * What each writer has to write: one channel without a schema, messages of one size cut one after the other out of the same 4 MiB,
 * stamps 1 ms apart, chunks of 1 MiB with CRC and all indexes, into a real file with an fsync at the end. The bytes are like sensor
 * data: eight double channels that wander, rounded to three decimals (zstd level 3 makes them about 2.6 times smaller).
 */
const PAYLOAD_BYTES = 4 * 1024 * 1024;
const CHANNELS = 8;
const SEED = 0x2545_f491;

export type McapCase = {
  readonly name: string;
  readonly messageBytes: number;
  readonly messages: number;
  readonly compression: 'none' | 'zstd';
};

/** The same for all writers whose interface lets it be chosen; the default of the Rust and Python ones. */
export const ZSTD_LEVEL = 3;

export const MCAP_CASES: readonly McapCase[] = [
  { name: 'mcap 1 kB none', messageBytes: 1_000, messages: 200_000, compression: 'none' },
  { name: 'mcap 1 kB zstd', messageBytes: 1_000, messages: 200_000, compression: 'zstd' },
  { name: 'mcap 64 B none', messageBytes: 64, messages: 1_000_000, compression: 'none' },
  { name: 'mcap 64 B zstd', messageBytes: 64, messages: 1_000_000, compression: 'zstd' },
  { name: 'mcap 100 kB none', messageBytes: 100_000, messages: 3_000, compression: 'none' },
  { name: 'mcap 100 kB zstd', messageBytes: 100_000, messages: 2_000, compression: 'zstd' },
];

/** The same bytes each time. */
export function mcapPayloads(): Uint8Array {
  const bytes = new Uint8Array(PAYLOAD_BYTES);
  const view = new DataView(bytes.buffer);
  const levels = Array.from({ length: CHANNELS }, (_, channel) => channel * 10);
  let state = SEED;
  for (let offset = 0, index = 0; offset < PAYLOAD_BYTES; offset += 8, index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const channel = index % CHANNELS;
    const level = (levels[channel] ?? 0) + ((state >>> 0) / 2 ** 32 - 0.5) * 0.1;
    levels[channel] = level;
    view.setFloat64(offset, Math.round(level * 1_000) / 1_000, true);
  }
  return bytes;
}
