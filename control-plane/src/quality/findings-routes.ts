/** GET /v1/findings: what checks found, and what the recordings that share a finding have in common. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { PageQuery, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';
import { listFindings, readChecked } from './findings-catalogue.ts';
import { findSharedCauses } from './shared-cause.ts';

const FindingsQuery = PageQuery.extend({
  where: z.string().min(1).max(2_000).optional(),
  after: z.coerce.number().int().min(0).default(0),
});

export function registerFindingRoutes(app: FastifyInstance, { projection }: Pick<ControlPlane, 'projection'>): void {
  app.get('/v1/findings', async (request) => {
    const { where, limit, after } = parseRequest(FindingsQuery, request.query, 'query');
    const view = await projectionFor(projection, request.query);
    const page = await listFindings(view, { where, limit, after });
    const { checked, found } = await readChecked(view);
    const listed = new Set(page.findings.map(({ rule, topic }) => `${rule} ${topic}`));
    const causes = findSharedCauses(
      checked,
      found.filter(({ rule, topic }) => listed.has(`${rule} ${topic}`)),
    );
    return { ...page, checked: checked.length, causes };
  });
}
