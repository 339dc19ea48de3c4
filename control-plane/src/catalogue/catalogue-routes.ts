/** /v1/recordings, their content and labels, what vehicles have lost, and /v1/blobs. */
import { type Digest, FleetError, parseDigest } from '@fleetloop/schemas';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { clientGone } from '../api/client-gone.ts';
import { actorOf, PageQuery, parseRequest } from '../api/request.ts';
import { projectionFor } from '../projection/as-of.ts';
import { labelFact } from '../ingest/facts.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { listLost } from './lost-recordings.ts';
import { describeCheck } from './recording-quality.ts';
import { findRecording, listRecordings, type RecordingView } from './recording-catalogue.ts';

const RecordingsQuery = PageQuery.extend({
  where: z.string().min(1).max(2_000).optional(),
  after: z.coerce.number().int().min(0).optional(),
});
const LostQuery = PageQuery.extend({
  after: z.coerce.number().int().min(0).default(0),
  vehicle: z.string().max(64).optional(),
  event: z.string().max(64).optional(),
  recording: z.string().max(80).optional(),
});
const DigestPath = z.object({ digest: z.string() });
const LabelBody = z.strictObject({
  label: z.string().min(1).max(256),
  method: z.string().max(1_000).default('manual'),
});

type Parts = Pick<ControlPlane, 'projection' | 'blobs' | 'ledger'>;

export function registerCatalogueRoutes(app: FastifyInstance, context: Parts): void {
  app.get('/v1/recordings', async (request) => {
    const { where, limit, after } = parseRequest(RecordingsQuery, request.query, 'query');
    return listRecordings(await projectionFor(context.projection, request.query), {
      limit,
      ...(where === undefined ? {} : { where }),
      ...(after === undefined ? {} : { afterSequence: after }),
    });
  });
  app.get('/v1/recordings/:digest', async (request) => {
    const projection = await projectionFor(context.projection, request.query);
    const recording = await knownRecording({ projection }, digestOf(request.params));
    const [accepted] = await projection.facts('recording.accepted', {
      key: recording.recording.slice('sha256:'.length),
    });
    const { metadata = null, manifest = null } = accepted?.body ?? {};
    return { ...recording, metadata, manifest, ...(await describeCheck(recording.recording, projection, context)) };
  });
  app.get('/v1/recordings/:digest/content', async (request, reply) => {
    const recording = await knownRecording(context, digestOf(request.params));
    const digest = parseDigest(recording.recording);
    return reply
      .type('application/vnd.mcap')
      .header('content-length', recording.sizeBytes)
      .send(await context.blobs.open(digest));
  });
  app.post('/v1/recordings/:digest/labels', async (request, reply) => {
    const label = parseRequest(LabelBody, request.body);
    const recording = await knownRecording(context, digestOf(request.params));
    const { sequences } = await context.ledger.append([
      labelFact(parseDigest(recording.recording), label, actorOf(request)),
    ]);
    const sequence = sequences[0] ?? 0;
    await context.projection.waitFor(sequence, clientGone(reply));
    return reply.code(201).send({ sequence });
  });
  registerLossesAndBlobs(app, context);
}

function registerLossesAndBlobs(app: FastifyInstance, context: Parts): void {
  app.get('/v1/lost-recordings', async (request) => {
    const filter = parseRequest(LostQuery, request.query, 'query');
    const lost = await listLost(await projectionFor(context.projection, request.query), filter);
    return { lost, next: lost.length < filter.limit ? null : String(lost.at(-1)?.sequence ?? 0) };
  });
  app.get('/v1/blobs/:digest', async (request, reply) => {
    const digest = digestOf(request.params);
    const sizeBytes = await context.blobs.sizeOf(digest);
    return reply
      .type('application/octet-stream')
      .header('content-length', sizeBytes)
      .send(await context.blobs.open(digest));
  });
}

function digestOf(params: unknown): Digest {
  return parseDigest(parseRequest(DigestPath, params, 'path').digest);
}

async function knownRecording(context: Pick<Parts, 'projection'>, digest: Digest): Promise<RecordingView> {
  const recording = await findRecording(context.projection, digest);
  if (recording === undefined) throw new FleetError('NOT_FOUND', `no recording ${digest} is in the catalogue`);
  return recording;
}
