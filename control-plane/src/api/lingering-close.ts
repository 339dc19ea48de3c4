/**
 * Why: an answer may come before the body has been read to its end, as when the disk is full in the middle of an import. Such a
 * connection is never idle, and an orderly stop would wait for it; closed at once, its sender might never see the answer (RFC 9112,
 * section 9.6).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** How long what is still sent is read and thrown away, ms. */
export const LINGER_MS = 1_000;

/** Once the answer is out, closes the connection of a request that was not read to its end, a moment later. */
export function closeIfUnread(request: IncomingMessage, response: ServerResponse): void {
  // A request that its reader has given up no longer knows its socket.
  const { socket } = request;
  response.once('finish', () => {
    if (request.complete) return;
    const close = (): void => void socket.destroy();
    const timer = setTimeout(close, LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
    request.once('end', close).resume();
  });
}
