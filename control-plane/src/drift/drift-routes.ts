/** /v1/drift: store tables, evaluate drift or audit bias over them, follow, cancel or retry an evaluation, and read what came of it. */
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { canonicalJson, FleetError, type JsonValue, parseDigest } from '@fleetloop/schemas';
import type { EvaluateDriftInput } from '@fleetloop/workflows';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, PageQuery, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';
import type { BlobStore } from '../ports.ts';
import { startWorkflow } from '../workflow/start-workflow.ts';
import { registerControls } from '../workflow/work-controls.ts';
import { parseBiasAudit } from './bias-audit.ts';
import { parseDriftMonitor } from './drift-monitor.ts';

/** One partition; a larger table comes as several. */
export const PARTITION_BYTES_MAX = 256 * 1_024 * 1_024;
/** Partitions of both sides: their digests travel with the workflow. */
export const PARTITIONS_MAX = 10_000;
const PARQUET_MAGIC = 'PAR1';

const digests = z
  .array(z.string().regex(/^sha256:[0-9a-f]{64}$/))
  .min(1)
  .max(PARTITIONS_MAX);
const Body = z.union([
  z.strictObject({ monitor: z.unknown(), reference: digests, current: digests }),
  z.strictObject({ audit: z.unknown(), tables: digests }),
]);
const ID = /^drift-[0-9a-f]{16}$/;
const Path = z.object({ id: z.string().regex(ID) });

type Context = Pick<ControlPlane, 'blobs' | 'projection' | 'temporal' | 'config'>;

export function registerDriftRoutes(app: FastifyInstance, context: Context): void {
  const { temporal, config, projection } = context;
  app.post('/v1/drift/tables', async (request, reply) => {
    const bytes = await parquetBytes(request.body);
    return reply.code(201).send({ table: await context.blobs.put(bytes), sizeBytes: bytes.length });
  });
  app.post('/v1/drift', async (request, reply) => {
    const evaluationId = `drift-${randomUUID().replaceAll('-', '').slice(0, 16)}`;
    const asked = await askedFor(context.blobs, parseRequest(Body, request.body));
    const input: EvaluateDriftInput = { ...asked, evaluationId, actor: actorOf(request) };
    const { taskQueue } = config.temporal;
    await startWorkflow(temporal, 'evaluateDrift', { workflowId: evaluationId, taskQueue, input });
    return reply.code(202).send({ evaluationId, workflowId: evaluationId });
  });
  app.get('/v1/drift', async (request) => {
    const { limit } = parseRequest(PageQuery, request.query, 'query');
    const view = await projectionFor(projection, request.query);
    const facts = [...(await view.facts('drift.evaluated')), ...(await view.facts('bias.audited'))];
    const newest = facts.toSorted((left, right) => right.sequence - left.sequence).slice(0, limit);
    return { evaluations: newest.map(({ kind, at, actor, body }) => ({ kind, at, actor, ...body })) };
  });
  app.get('/v1/drift/:id', async (request) => {
    const { id } = parseRequest(Path, request.params, 'path');
    const view = await projectionFor(projection, request.query);
    const [drift] = await view.facts('drift.evaluated', { key: id });
    const [bias] = await view.facts('bias.audited', { key: id });
    const fact = drift ?? bias;
    if (fact === undefined) throw new FleetError('NOT_FOUND', `no evaluation ${id} has ended: ask /v1/workflows/${id}`);
    const report = await context.blobs.get(parseDigest(fact.body.report));
    return {
      at: fact.at,
      actor: fact.actor,
      ...fact.body,
      result: JSON.parse(Buffer.from(report).toString('utf8')) as unknown,
    };
  });
  registerControls(app, temporal, { route: '/v1/drift', id: ID });
}

/** Whoever asks learns at once what is wrong with the document, or which partition is not there. */
async function askedFor(
  blobs: BlobStore,
  body: z.infer<typeof Body>,
): Promise<Pick<EvaluateDriftInput, 'kind' | 'watch' | 'reference' | 'current'>> {
  const isAudit = 'audit' in body;
  const document = isAudit ? body.audit : body.monitor;
  if (isAudit) parseBiasAudit(document);
  else parseDriftMonitor(document);
  const reference = isAudit ? [] : body.reference;
  const current = isAudit ? body.tables : body.current;
  if (reference.length + current.length > PARTITIONS_MAX) {
    throw new FleetError(
      'REQUEST_INVALID',
      `${reference.length + current.length} partitions, at most ${PARTITIONS_MAX}`,
    );
  }
  for (const digest of [...reference, ...current]) await blobs.sizeOf(parseDigest(digest));
  const watch = await blobs.put(Buffer.from(canonicalJson(document as JsonValue), 'utf8'));
  return { kind: isAudit ? 'bias-audit' : 'drift-monitor', watch, reference, current };
}

async function parquetBytes(body: unknown): Promise<Uint8Array> {
  if (!isReadable(body)) {
    throw new FleetError(
      'REQUEST_INVALID',
      'send one Parquet file as the body, with content-type application/octet-stream',
    );
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += (part as Uint8Array).length;
    if (size > PARTITION_BYTES_MAX) {
      throw new FleetError('INGEST_LIMIT', `a partition has at most ${PARTITION_BYTES_MAX} bytes: cut the table`);
    }
    parts.push(part as Uint8Array);
  }
  const bytes = Buffer.concat(parts);
  if (bytes.toString('latin1', 0, PARQUET_MAGIC.length) !== PARQUET_MAGIC) {
    throw new FleetError('DRIFT_INPUT', 'the body is no Parquet file');
  }
  return bytes;
}

function isReadable(value: unknown): value is Readable {
  return typeof value === 'object' && value !== null && 'pipe' in value && Symbol.asyncIterator in value;
}
