/** GET /v1/telemetry/inferences: what vehicles inferred lately. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { PAGE_SIZE_DEFAULT, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';

export const INFERENCES_PER_REPLY_MAX = 10_000;

const InferencesQuery = z.object({
  vehicle: z.string().max(64).optional(),
  bundle: z.string().max(128).optional(),
  role: z.enum(['active', 'shadow']).optional(),
  since: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(INFERENCES_PER_REPLY_MAX).default(PAGE_SIZE_DEFAULT),
});

export function registerTelemetryRoutes(app: FastifyInstance, context: Pick<ControlPlane, 'telemetry'>): void {
  app.get('/v1/telemetry/inferences', async (request) => {
    const { vehicle, bundle, role, since, limit } = parseRequest(InferencesQuery, request.query, 'query');
    const inferences = await context.telemetry.inferences({
      limit,
      ...(vehicle === undefined ? {} : { vehicles: [vehicle] }),
      ...(bundle === undefined ? {} : { bundle }),
      ...(role === undefined ? {} : { role }),
      ...(since === undefined ? {} : { sinceMs: since }),
    });
    return {
      inferences: inferences.map((window) => ({
        ...window,
        windowStartNs: String(window.windowStartNs),
        windowEndNs: String(window.windowEndNs),
      })),
    };
  });
}
