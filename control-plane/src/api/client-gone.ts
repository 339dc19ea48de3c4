/** Why: work that somebody waits for ends when nobody waits any longer, and not before. */
import type { FastifyReply } from 'fastify';

/**
 * Aborted when whoever asked is gone before the answer. Fastify's `request.signal` is no such thing: it is aborted as
 * soon as the body has been read, which for a POST is before its work has begun.
 */
export function clientGone({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort();
  });
  return gone.signal;
}
