/** Why: whoever reads a model version wants its gates with every slice and number. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';

const Query = z.object({ model: z.string().max(64).optional(), version: z.coerce.number().int().min(1).optional() });

export function registerEvaluationRoutes(app: FastifyInstance, context: ControlPlane): void {
  app.get('/v1/gates', async (request) => {
    const { model, version } = parseRequest(Query, request.query, 'query');
    const view = await projectionFor(context.projection, request.query);
    const gates = (await view.facts('gate.evaluated')).map(({ at, sequence, body }) => ({
      at,
      sequence,
      ...body,
    }));
    return {
      gates: gates.filter(
        (gate) =>
          (model === undefined || gate.modelName === model) && (version === undefined || gate.modelVersion === version),
      ),
    };
  });
}
