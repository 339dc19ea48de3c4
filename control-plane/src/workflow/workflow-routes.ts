/** Why: everything long is a workflow; one route tells how any of them stands, another gives its whole history. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { workflowHistory, workflowStatus } from './workflow-status.ts';

const Path = z.object({ id: z.string().min(1).max(256) });

export function registerWorkflowRoutes(app: FastifyInstance, context: ControlPlane): void {
  app.get('/v1/workflows/:id/history', async (request) =>
    workflowHistory(context.temporal, parseRequest(Path, request.params, 'path').id),
  );
  app.get('/v1/workflows/:id', async (request) =>
    workflowStatus(context.temporal, parseRequest(Path, request.params, 'path').id),
  );
}
