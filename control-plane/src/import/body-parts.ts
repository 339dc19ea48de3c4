/** Why: a body of gigabytes is read in parts whose memory would wait for the collector, which would then run over the whole heap again and again. */
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';

/** Smaller memory may be shared with other buffers. */
const RELEASED_BYTES_MIN = 16 * 1024;

/**
 * The parts of a body, each good until the next one is asked for. What came over a socket was read for this body alone, and its memory is
 * given back at once; other memory belongs to whoever made the body.
 */
export function bodyParts(body: Readable, { socket }: IncomingMessage): AsyncIterable<Uint8Array> {
  return socket instanceof Socket ? released(body) : body;
}

async function* released(body: AsyncIterable<Buffer<ArrayBuffer>>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const part of body) {
    yield part;
    const isWhole = part.byteOffset === 0 && part.byteLength === part.buffer.byteLength;
    if (isWhole && part.byteLength >= RELEASED_BYTES_MIN) part.buffer.transfer(0);
  }
}
