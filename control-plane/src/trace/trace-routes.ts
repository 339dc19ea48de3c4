/** /v1/trace: the lineage of anything, in both directions, as of now, a ledger sequence or a time. */
import { FleetError } from '@fleetloop/schemas';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseRequest } from '../api/request.ts';
import type { Projection } from '../ports.ts';
import { type Trace, TRACE_DIRECTIONS, traceLineage, type TraceSources } from './trace.ts';

const TracePath = z.object({ '*': z.string().min(1).max(512) });
const TraceQuery = z.strictObject({
  direction: z.enum(TRACE_DIRECTIONS).default('both'),
  /** A ledger sequence, or an RFC 3339 time. */
  asOf: z.union([z.string().regex(/^\d{1,15}$/), z.iso.datetime({ offset: true })]).optional(),
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

/** The last ledger entry at or before a point. */
async function sequenceAsOf(projection: Projection, asOf: string): Promise<number> {
  if (/^\d+$/.test(asOf)) return Number(asOf);
  const [row] = await projection.query('SELECT max(sequence) AS sequence FROM facts WHERE at_ms <= $atMs::BIGINT', {
    atMs: String(Date.parse(asOf)),
  });
  if (row?.['sequence'] === null || row === undefined)
    throw new FleetError('TRACE_UNKNOWN', `the ledger had no entry at ${asOf}`);
  return Number(row['sequence']);
}
