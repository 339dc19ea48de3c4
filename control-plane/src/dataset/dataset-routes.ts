/** Why: people ask for dataset versions, read them and compare them. */
import { randomUUID } from 'node:crypto';
import { parseDatasetSpecification } from '@fleetloop/schemas';
import { diffDatasets, type FreezeDatasetInput } from '@fleetloop/workflows';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';
import { startWorkflow } from '../workflow/start-workflow.ts';
import { findDataset, frozenVersions, type FrozenVersion } from './frozen-datasets.ts';

const Body = z.strictObject({ specification: z.unknown() });
const Path = z.object({ dataset: z.string().max(64), version: z.string().max(32) });
const DiffQuery = z.object({ from: z.string().min(3).max(128), to: z.string().min(3).max(128) });

export function registerDatasetRoutes(app: FastifyInstance, context: ControlPlane): void {
  const { projection, temporal, config } = context;
  app.post('/v1/datasets', async (request, reply) => {
    const specification = parseDatasetSpecification(parseRequest(Body, request.body).specification);
    const input: FreezeDatasetInput = { specification, actor: actorOf(request) };
    const workflowId = `dataset-${specification.dataset}-${specification.version}-${randomUUID().slice(0, 8)}`;
    return reply
      .code(202)
      .send(
        await startWorkflow(temporal, 'freezeDataset', { workflowId, taskQueue: config.temporal.taskQueue, input }),
      );
  });
  app.get('/v1/datasets', async (request) => ({
    datasets: (await frozenVersions(await projectionFor(projection, request.query))).map(summaryOf),
  }));
  app.get('/v1/datasets/diff', async (request) => {
    const { from, to } = parseRequest(DiffQuery, request.query, 'query');
    const view = await projectionFor(projection, request.query);
    const [before, after] = [await findDataset(view, from), await findDataset(view, to)];
    return diffDatasets(before.document, after.document);
  });
  app.get('/v1/datasets/:dataset/:version', async (request) => {
    const { dataset, version } = parseRequest(Path, request.params, 'path');
    const found = await findDataset(await projectionFor(projection, request.query), `${dataset}/${version}`);
    return { ...summaryOf(found), document: found.document };
  });
}

function summaryOf({ dataset, version, digest, document }: FrozenVersion): Record<string, unknown> {
  const labels: Record<string, { train: number; test: number }> = {};
  for (const { label, split } of document.recordings) (labels[label] ??= { train: 0, test: 0 })[split] += 1;
  const train = document.recordings.filter((entry) => entry.split === 'train').length;
  return {
    dataset,
    version,
    digest,
    specification: document.specification,
    recordings: document.recordings.length,
    train,
    test: document.recordings.length - train,
    excluded: document.exclusions.length,
    labels,
  };
}
