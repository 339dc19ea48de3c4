/** Why: whoever waits for a long import sees how far it is. */

/** The same pieces; tells after each how many bytes were taken so far. */
export async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let taken = 0;
  for await (const piece of bytes) {
    yield piece;
    taken += piece.length;
    onBytes(taken);
  }
}
