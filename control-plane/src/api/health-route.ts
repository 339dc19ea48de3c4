/** GET /v1/health: whether this process answers and its ledger does; open to everybody, so it names nothing of the fleet. */
import type { FastifyInstance } from 'fastify';
import type { ControlPlane } from '../processes/control-plane-context.ts';

export function registerHealthRoute(app: FastifyInstance, context: Pick<ControlPlane, 'ledger' | 'projection'>): void {
  app.get('/v1/health', async () => {
    const entries = await context.ledger.size();
    return { status: 'ok', ledger: { entries }, projection: { appliedSequence: context.projection.appliedSequence() } };
  });
}
