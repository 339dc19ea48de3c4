/** /v1/trace: the lineage of anything, in both directions, as of now, a ledger sequence or a time. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseRequest } from '../api/request.ts';
import { AsOf, sequenceAsOf } from '../projection/as-of.ts';
import { type Trace, TRACE_DIRECTIONS, traceLineage, type TraceSources } from './trace.ts';

const TracePath = z.object({ '*': z.string().min(1).max(512) });
const TraceQuery = z.strictObject({
  direction: z.enum(TRACE_DIRECTIONS).default('both'),
  asOf: AsOf.optional(),
});

export function registerTraceRoutes(app: FastifyInstance, context: TraceSources): void {
  // A wildcard, because ids such as `dataset:terrain/v2` hold a slash.
  app.get('/v1/trace/*', async (request): Promise<Trace> => {
    const { '*': id } = parseRequest(TracePath, request.params, 'path');
    const { direction, asOf } = parseRequest(TraceQuery, request.query, 'query');
    return traceLineage(context, {
      id,
      direction,
      ...(asOf === undefined ? {} : { asOf: await sequenceAsOf(context.projection, asOf) }),
    });
  });
}
