/** LZ4 frames, as chunks of MCAP files hold them. The decoder is WebAssembly: it is loaded with the first chunk that needs it. */
import lz4 from '@foxglove/wasm-lz4';

/** Unpacks one frame into at most `sizeBytes`. Throws a plain error for bytes that are no such frame. */
export async function decompressLz4(bytes: Uint8Array, sizeBytes: number): Promise<Uint8Array> {
  await lz4.isLoaded;
  // Nothing is asked of the decoder for nothing: it cannot allocate an empty buffer.
  return sizeBytes === 0 ? new Uint8Array(0) : lz4(bytes, sizeBytes);
}
