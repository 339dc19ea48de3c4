/** /v1/vehicles/:vehicleId/pulls: ask a vehicle for a stored time range, see what becomes of it, and cancel it. */
import { FleetError, parseVehicleId, PRIORITIES, type VehicleId } from '@fleetloop/schemas';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { clientGone } from '../api/client-gone.ts';
import { actorOf, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { cancelPull, listPulls, requestPull } from './pull-desk.ts';

const NS_PER_MS = 1_000_000n;
const nsText = z.string().regex(/^\d{1,20}$/, 'use nanoseconds since the Unix epoch');
const isoText = z.iso.datetime({ offset: true });
/** Either end as nanoseconds or as an RFC 3339 time. */
const PullBody = z.strictObject({
  fromNs: nsText.optional(),
  from: isoText.optional(),
  toNs: nsText.optional(),
  to: isoText.optional(),
  topics: z.array(z.string().max(256)).min(1).max(256).optional(),
  priority: z.enum(PRIORITIES).default('normal'),
  reason: z.string().min(1).max(1_000),
});
const VehiclePath = z.object({ vehicleId: z.string() });
const PullPath = VehiclePath.extend({ pullId: z.string().max(64) });
const CancelQuery = z.strictObject({ reason: z.string().max(1_000).default('') });

type Parts = Pick<ControlPlane, 'ledger' | 'projection' | 'vehicles' | 'registry'>;

export function registerPullRoutes(app: FastifyInstance, context: Parts): void {
  app.post('/v1/vehicles/:vehicleId/pulls', async (request, reply) => {
    const vehicleId = await enrolledVehicle(context, request.params);
    const { fromNs, from, toNs, to, topics, priority, reason } = parseRequest(PullBody, request.body);
    const wish = {
      fromNs: momentOf('from', fromNs, from),
      toNs: momentOf('to', toNs, to),
      priority,
      reason,
      ...(topics === undefined ? {} : { topics }),
    };
    const { pullId, sequence } = await requestPull(vehicleId, wish, actorOf(request), context);
    await context.projection.waitFor(sequence, clientGone(reply));
    return reply.code(201).send({ pullId, sequence });
  });
  app.get('/v1/vehicles/:vehicleId/pulls', async (request) => {
    const vehicleId = await enrolledVehicle(context, request.params);
    return { pulls: await listPulls(context, { vehicleId }) };
  });
  app.delete('/v1/vehicles/:vehicleId/pulls/:pullId', async (request, reply) => {
    const vehicleId = await enrolledVehicle(context, request.params);
    const { pullId } = parseRequest(PullPath, request.params, 'path');
    const { reason } = parseRequest(CancelQuery, request.query, 'query');
    const { sequence } = await cancelPull({ vehicleId, pullId, reason, actor: actorOf(request) }, context);
    await context.projection.waitFor(sequence, clientGone(reply));
    const [pull] = await listPulls(context, { vehicleId, pullId });
    return pull;
  });
}

function momentOf(name: 'from' | 'to', ns: string | undefined, iso: string | undefined): string {
  if ((ns === undefined) === (iso === undefined))
    throw new FleetError('PULL_INVALID', `give either ${name} (RFC 3339) or ${name}Ns`);
  return ns ?? String(BigInt(Date.parse(iso ?? '')) * NS_PER_MS);
}

async function enrolledVehicle(context: Parts, params: unknown): Promise<VehicleId> {
  const vehicleId = parseVehicleId(parseRequest(VehiclePath, params, 'path').vehicleId);
  if ((await context.registry.find(vehicleId)) === undefined)
    throw new FleetError('NOT_FOUND', `no vehicle ${vehicleId} is enrolled`);
  return vehicleId;
}
