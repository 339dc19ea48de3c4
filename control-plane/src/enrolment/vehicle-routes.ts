/** /v1/vehicles: enrol vehicles, list them, and see what one has reported. */
import { type DesiredState, FleetError, parseVehicleId, type ReportedState } from '@fleetloop/schemas';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { clientGone } from '../api/client-gone.ts';
import { actorOf, PageQuery, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';
import type { Row } from '../ports.ts';
import { enrolVehicle } from './enrol-vehicle.ts';
import { renewVehicle, revokeVehicle } from './vehicle-keys.ts';

/** A day at least would be usual; tests and workshops want less. */
const ExpiresInSeconds = z
  .int()
  .min(1)
  .max(10 * 366 * 86_400)
  .optional();
const VehicleBody = z.strictObject({
  vehicleId: z.string(),
  publicKey: z.string().min(1).max(256),
  hardwareRevision: z.string().min(1).max(64),
  softwareVersion: z.string().min(1).max(64),
  place: z.string().max(256).default(''),
  expiresInSeconds: ExpiresInSeconds,
});
const RevokeBody = z.strictObject({ reason: z.string().min(1).max(1_000) });
const RenewBody = z.strictObject({
  publicKey: z.string().min(1).max(256).optional(),
  expiresInSeconds: ExpiresInSeconds,
});
const VehiclePath = z.object({ vehicleId: z.string() });

/** A vehicle as the API lists it. */
export type VehicleView = {
  readonly vehicleId: string;
  readonly publicKey: string;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  readonly place: string;
  /** `enrolled` or `revoked`. */
  readonly state: string;
  readonly expiresAt: string | null;
};
export type VehicleDetails = VehicleView & {
  readonly reported: ReportedState | null;
  readonly desired: DesiredState | null;
  readonly heartbeat: unknown;
};

export type VehicleRouteParts = Pick<
  ControlPlane,
  'ledger' | 'projection' | 'vehicles' | 'heartbeats' | 'keys' | 'accountSeed' | 'enrolments' | 'account'
>;

export function registerVehicleRoutes(app: FastifyInstance, context: VehicleRouteParts): void {
  registerKeyRoutes(app, context);
  app.post('/v1/vehicles', async (request, reply) => {
    const body = parseRequest(VehicleBody, request.body);
    const { jwt, sequence, isNew } = await enrolVehicle(body, actorOf(request), context);
    await context.projection.waitFor(sequence, clientGone(reply));
    const { director, image } = context.keys;
    return reply
      .code(isNew ? 201 : 200)
      .send({ jwt, keys: { director: [director.publicKeyPem], image: [image.publicKeyPem] } });
  });
  app.get('/v1/vehicles', async (request) => {
    const { limit, after } = parseRequest(PageQuery, request.query, 'query');
    const rows = await (await projectionFor(context.projection, request.query)).query(
      `${SELECT} WHERE v.vehicle_id > $after ORDER BY v.vehicle_id LIMIT $limit`,
      { after: after ?? '', limit },
    );
    return { vehicles: rows.map(toView) };
  });
  app.get('/v1/vehicles/:vehicleId', async (request): Promise<VehicleDetails> => {
    const vehicleId = parseVehicleId(parseRequest(VehiclePath, request.params, 'path').vehicleId);
    const view = await projectionFor(context.projection, request.query);
    const [row] = await view.query(`${SELECT} WHERE v.vehicle_id = $vehicleId`, { vehicleId });
    if (row === undefined) throw new FleetError('NOT_FOUND', `no vehicle ${vehicleId} is enrolled`);
    // What a vehicle reports and is asked for is only known of now.
    if (view !== context.projection) return { ...toView(row), reported: null, desired: null, heartbeat: null };
    const [reported, desired] = await Promise.all([
      context.vehicles.reported(vehicleId),
      context.vehicles.desired(vehicleId),
    ]);
    return {
      ...toView(row),
      reported: reported ?? null,
      desired: desired ?? null,
      heartbeat: context.heartbeats.latest(vehicleId) ?? null,
    };
  });
}

function registerKeyRoutes(app: FastifyInstance, context: VehicleRouteParts): void {
  app.post('/v1/vehicles/:vehicleId/revoke', async (request, reply) => {
    const vehicleId = parseVehicleId(parseRequest(VehiclePath, request.params, 'path').vehicleId);
    const { reason } = parseRequest(RevokeBody, request.body);
    const { sequence, isCut } = await revokeVehicle({ vehicleId, reason, actor: actorOf(request) }, context);
    await context.projection.waitFor(sequence, clientGone(reply));
    return { sequence, isCut };
  });
  app.post('/v1/vehicles/:vehicleId/renew', async (request, reply) => {
    const vehicleId = parseVehicleId(parseRequest(VehiclePath, request.params, 'path').vehicleId);
    const body = parseRequest(RenewBody, request.body);
    const { jwt, sequence } = await renewVehicle({ vehicleId, ...body, actor: actorOf(request) }, context);
    await context.projection.waitFor(sequence, clientGone(reply));
    return { jwt, sequence };
  });
}

const SELECT = `SELECT v.vehicle_id, k.public_key, v.hardware_revision, v.software_version, v.place, k.state, k.expires_at
  FROM vehicles v JOIN (
    SELECT * FROM vehicle_keys QUALIFY row_number() OVER (PARTITION BY vehicle_id ORDER BY sequence DESC) = 1
  ) k ON k.vehicle_id = v.vehicle_id`;

function toView(row: Row): VehicleView {
  return {
    vehicleId: String(row['vehicle_id']),
    publicKey: String(row['public_key']),
    hardwareRevision: String(row['hardware_revision']),
    softwareVersion: String(row['software_version']),
    place: String(row['place']),
    state: String(row['state']),
    expiresAt: typeof row['expires_at'] === 'string' ? row['expires_at'] : null,
  };
}
