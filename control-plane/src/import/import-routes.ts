/** POST /v1/imports: one recording as the body, its label in the query. */
import type { Readable } from 'node:stream';
import { FleetError } from '@fleetloop/schemas';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';

const ImportQuery = z.strictObject({
  label: z.string().min(1).max(256).optional(),
  method: z.string().max(1_000).default('import'),
});

export function registerImportRoutes(
  app: FastifyInstance,
  context: Pick<ControlPlane, 'ingest' | 'ledger' | 'projection'>,
): void {
  app.post('/v1/imports', async (request, reply) => {
    const { label, method } = parseRequest(ImportQuery, request.query, 'query');
    const bytes = request.body;
    if (!isReadable(bytes))
      throw new FleetError(
        'REQUEST_INVALID',
        'send one recording as the body, with content-type application/octet-stream',
      );
    const order = { bytes, actor: actorOf(request), ...(label === undefined ? {} : { label: { label, method } }) };
    const outcome = await context.ingest.import(order).catch(async (refusal: unknown) => {
      // A refusal is a fact, too: who asks for the quarantine next must see it there.
      await context.projection.waitFor(await context.ledger.size(), request.signal);
      throw refusal;
    });
    await context.projection.waitFor(outcome.sequence, request.signal);
    return reply.code(outcome.isNew ? 201 : 200).send(outcome);
  });
}

function isReadable(value: unknown): value is Readable {
  return typeof value === 'object' && value !== null && 'pipe' in value && Symbol.asyncIterator in value;
}
