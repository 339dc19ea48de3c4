/** /v1/vehicles: enrol vehicles, list them, and see what one has reported. */
import { type DesiredState, FleetError, parseVehicleId, type ReportedState } from '@fleetloop/schemas';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, PageQuery, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import type { Row } from '../ports.ts';
import { enrolVehicle } from './enrol-vehicle.ts';

const VehicleBody = z.strictObject({
  vehicleId: z.string(),
  publicKey: z.string().min(1).max(256),
  hardwareRevision: z.string().min(1).max(64),
  softwareVersion: z.string().min(1).max(64),
  place: z.string().max(256).default(''),
});
const VehiclePath = z.object({ vehicleId: z.string() });

/** A vehicle as the API lists it. */
export type VehicleView = {
  readonly vehicleId: string;
  readonly publicKey: string;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  readonly place: string;
};
export type VehicleDetails = VehicleView & {
  readonly reported: ReportedState | null;
  readonly desired: DesiredState | null;
  readonly heartbeat: unknown;
};

export type VehicleRouteParts = Pick<
  ControlPlane,
  'ledger' | 'projection' | 'vehicles' | 'heartbeats' | 'keys' | 'accountSeed'
>;

export function registerVehicleRoutes(app: FastifyInstance, context: VehicleRouteParts): void {
  app.post('/v1/vehicles', async (request, reply) => {
    const body = parseRequest(VehicleBody, request.body);
    const { jwt, sequence, isNew } = await enrolVehicle(body, actorOf(request), context);
    await context.projection.waitFor(sequence, request.signal);
    const { director, image } = context.keys;
    return reply
      .code(isNew ? 201 : 200)
      .send({ jwt, keys: { director: [director.publicKeyPem], image: [image.publicKeyPem] } });
  });
  app.get('/v1/vehicles', async (request) => {
    const { limit, after } = parseRequest(PageQuery, request.query, 'query');
    const rows = await context.projection.query(
      `${SELECT} WHERE vehicle_id > $after ORDER BY vehicle_id LIMIT $limit`,
      { after: after ?? '', limit },
    );
    return { vehicles: rows.map(toView) };
  });
  app.get('/v1/vehicles/:vehicleId', async (request): Promise<VehicleDetails> => {
    const vehicleId = parseVehicleId(parseRequest(VehiclePath, request.params, 'path').vehicleId);
    const [row] = await context.projection.query(`${SELECT} WHERE vehicle_id = $vehicleId`, { vehicleId });
    if (row === undefined) throw new FleetError('NOT_FOUND', `no vehicle ${vehicleId} is enrolled`);
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

const SELECT = 'SELECT vehicle_id, public_key, hardware_revision, software_version, place FROM vehicles';

function toView(row: Row): VehicleView {
  return {
    vehicleId: String(row['vehicle_id']),
    publicKey: String(row['public_key']),
    hardwareRevision: String(row['hardware_revision']),
    softwareVersion: String(row['software_version']),
    place: String(row['place']),
  };
}
