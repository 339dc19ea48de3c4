/** /v1/imports: one recording as the body, whole or from where a former attempt stopped, with its label in the query. */
import type { Readable } from 'node:stream';
import { FleetError, parseDigest } from '@fleetloop/schemas';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { clientGone } from '../api/client-gone.ts';
import { actorOf, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { bodyParts } from './body-parts.ts';
import { findImport } from './known-imports.ts';

const ImportQuery = z.strictObject({
  label: z.string().min(1).max(256).optional(),
  method: z.string().max(1_000).default('import'),
  importKey: z.string().max(80).optional(),
  /** Digest that the recording will have; with it the upload can be continued. */
  upload: z.string().max(80).optional(),
  /** Where in the recording the body begins. */
  from: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
});
const DigestPath = z.object({ digest: z.string().max(80) });

export function registerImportRoutes(
  app: FastifyInstance,
  context: Pick<ControlPlane, 'ingest' | 'ledger' | 'projection'>,
): void {
  app.post('/v1/imports', async (request, reply) => {
    const { label, method, importKey, upload, from } = parseRequest(ImportQuery, request.query, 'query');
    const bytes = request.body;
    if (!isReadable(bytes))
      throw new FleetError(
        'REQUEST_INVALID',
        'send one recording as the body, with content-type application/octet-stream',
      );
    const order = {
      bytes: bodyParts(bytes, request.raw),
      actor: actorOf(request),
      ...(label === undefined ? {} : { label: { label, method } }),
      ...(importKey === undefined ? {} : { importKey: parseDigest(importKey) }),
      ...(upload === undefined ? {} : { upload: { recording: parseDigest(upload), fromByte: from } }),
    };
    const outcome = await context.ingest.import(order).catch(async (refusal: unknown) => {
      // A refusal is a fact, too: who asks for the quarantine next must see it there.
      await context.projection.waitFor(await context.ledger.size(), clientGone(reply));
      throw refusal;
    });
    await context.projection.waitFor(outcome.sequence, clientGone(reply));
    return reply.code(outcome.isNew ? 201 : 200).send(outcome);
  });
  app.get('/v1/imports/uploads/:digest', async (request) => {
    const recording = parseDigest(parseRequest(DigestPath, request.params, 'path').digest);
    return { recording, receivedBytes: await context.ingest.receivedBytes(recording) };
  });
  app.get('/v1/imports/known/:digest', async (request) => {
    const key = parseDigest(parseRequest(DigestPath, request.params, 'path').digest);
    const known = await findImport(context.projection, key);
    if (known === undefined) throw new FleetError('NOT_FOUND', `nothing was imported as ${key}`);
    return known;
  });
}

function isReadable(value: unknown): value is Readable {
  return typeof value === 'object' && value !== null && 'pipe' in value && Symbol.asyncIterator in value;
}
