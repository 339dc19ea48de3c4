/** What every route does first: who asks, and is what they sent of the right shape. */
import { FleetError } from '@fleetloop/schemas';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who holds the bearer token of this request. */
    actor: string;
  }
}

/** Most entries in one page of a listing. */
export const PAGE_SIZE_MAX = 1_000;
export const PAGE_SIZE_DEFAULT = 100;

/** `limit` and `after` of listings; values of a query string are text. */
export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(PAGE_SIZE_MAX).default(PAGE_SIZE_DEFAULT),
  after: z.string().max(256).optional(),
});

/**
 * Checks a body, query or parameters against a schema.
 * @throws FleetError REQUEST_INVALID naming each field that is wrong
 */
export function parseRequest<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: 'body' | 'query' | 'path' = 'body',
): z.infer<Schema> {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  throw new FleetError('REQUEST_INVALID', `the request ${what} is not valid: ${z.prettifyError(parsed.error)}`);
}

/** The actor of a request; authentication has run before any route. */
export function actorOf(request: FastifyRequest): string {
  return request.actor;
}
