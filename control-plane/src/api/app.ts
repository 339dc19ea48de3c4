/** Builds the HTTP API: who may ask, which routes there are, and how failures are told. Listening is the caller's. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { ERROR_TABLE, type ErrorCode, FleetError } from '@fleetloop/schemas';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify';
import { registerCampaignRoutes } from '../campaign/campaign-routes.ts';
import { registerCatalogueRoutes } from '../catalogue/catalogue-routes.ts';
import { registerQuarantineRoutes } from '../catalogue/quarantine-routes.ts';
import { registerVehicleRoutes } from '../enrolment/vehicle-routes.ts';
import { registerImportRoutes } from '../import/import-routes.ts';
import { registerExplainRoutes } from '../monitoring/explain-routes.ts';
import { registerTelemetryRoutes } from '../monitoring/telemetry-routes.ts';
import { registerPullRoutes } from '../pull/pull-routes.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { registerHealthRoute } from './health-route.ts';
import { closeIfUnread } from './lingering-close.ts';

/** Largest JSON body, bytes; recordings come as a stream and have a limit of their own. */
export const JSON_BODY_BYTES_MAX = 8 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 600_000;
const BEARER = /^Bearer (\S+)$/;
/** Paths that show nothing of the fleet: whether the process lives, and the console page itself. */
const PUBLIC_PATHS: ReadonlySet<string> = new Set(['/', '/v1/health']);

/** Builds the application; `register` adds the routes of the other stages. */
export function buildApp(
  context: ControlPlane,
  register: readonly ((app: FastifyInstance, context: ControlPlane) => void)[],
): FastifyInstance {
  const app = Fastify({
    bodyLimit: JSON_BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
  });
  // The body of an import is not read here: the route checks it while it arrives.
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  app.decorateRequest('actor', '');
  const authenticate = authenticator(context.config.tokens);
  app.addHook('onRequest', async (request, reply) => {
    closeIfUnread(request.raw, reply.raw);
    if (!PUBLIC_PATHS.has(request.routeOptions.url ?? '')) request.actor = authenticate(request);
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const failure = toFleetError(error);
    const { httpStatus } = ERROR_TABLE[failure.code];
    context.logger[httpStatus >= 500 ? 'error' : 'info'](
      { err: failure, method: request.method, path: request.routeOptions.url },
      'api.refused',
    );
    void reply.code(httpStatus).send(failure.toJSON());
  });
  app.setNotFoundHandler((request) => {
    throw new FleetError('NOT_FOUND', `there is no ${request.method} ${request.url.split('?')[0] ?? ''}`);
  });
  for (const add of [...OWN_ROUTES, ...register]) add(app, context);
  return app;
}

const OWN_ROUTES = [
  registerHealthRoute,
  registerVehicleRoutes,
  registerCampaignRoutes,
  registerCatalogueRoutes,
  registerQuarantineRoutes,
  registerImportRoutes,
  registerTelemetryRoutes,
  registerExplainRoutes,
  registerPullRoutes,
] as const;

/** Tokens are compared by their hashes, in a time that does not depend on the token. */
function authenticator(tokens: Readonly<Record<string, string>>): (request: FastifyRequest) => string {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  const known = Object.entries(tokens).map(([token, actor]) => ({ hash: hash(token), actor }));
  return (request) => {
    const token = BEARER.exec(request.headers.authorization ?? '')?.[1];
    const given = token === undefined ? undefined : hash(token);
    const holder = given === undefined ? undefined : known.find((each) => timingSafeEqual(each.hash, given));
    if (holder === undefined)
      throw new FleetError(
        'UNAUTHENTICATED',
        'no valid token was given: send the header authorization: Bearer <token>',
      );
    return holder.actor;
  };
}

function toFleetError(error: FastifyError): FleetError {
  if (error instanceof FleetError) return error;
  if (error.statusCode === undefined || error.statusCode >= 500) return FleetError.from(error);
  const code: ErrorCode = error.statusCode === 413 ? 'INGEST_LIMIT' : 'REQUEST_INVALID';
  return new FleetError(code, error.message, { cause: error });
}
