/** GET /v1/vehicles/:vehicleId/explain: asks the vehicle itself why it did or did not do something. */
import { ERROR_TABLE, type ErrorCode, FleetError, parseVehicleId, type ReportedState } from '@fleetloop/schemas';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';

const ExplainPath = z.object({ vehicleId: z.string() });
const ExplainQuery = z.strictObject({
  /** `status`, `campaign/<id>`, `event/<id>` or `recording/<digest or id>`. */
  what: z
    .string()
    .max(200)
    .regex(
      /^(?:status|(?:campaign|event|recording)\/[a-z0-9:_-]+)$/,
      'use status, campaign/<id>, event/<id> or recording/<id>',
    )
    .default('status'),
});

export function registerExplainRoutes(
  app: FastifyInstance,
  context: Pick<ControlPlane, 'questions' | 'vehicles' | 'registry'>,
): void {
  app.get('/v1/vehicles/:vehicleId/explain', async (request) => {
    const vehicleId = parseVehicleId(parseRequest(ExplainPath, request.params, 'path').vehicleId);
    const { what } = parseRequest(ExplainQuery, request.query, 'query');
    if ((await context.registry.find(vehicleId)) === undefined)
      throw new FleetError('NOT_FOUND', `no vehicle ${vehicleId} is enrolled`);
    const question = what === 'status' ? { kind: 'status' } : { kind: 'why', subject: what };
    const answer = await context.questions.ask(vehicleId, question);
    if (answer === undefined) throw await unreachable(vehicleId, await context.vehicles.reported(vehicleId));
    return { vehicleId, what, answer: answerOf(vehicleId, answer) };
  });
}

const AgentReply = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), answer: z.unknown() }),
  z.object({ ok: z.literal(false), code: z.string().max(64), message: z.string().max(2_000) }),
]);

/** @throws FleetError what the vehicle refused with, AGENT_UNREACHABLE when what it said is no answer */
function answerOf(vehicleId: string, reply: unknown): unknown {
  const parsed = AgentReply.safeParse(reply);
  if (!parsed.success)
    throw new FleetError('AGENT_UNREACHABLE', `vehicle ${vehicleId} answered, but not as an agent of this version`);
  if (parsed.data.ok) return parsed.data.answer;
  const { code, message } = parsed.data;
  throw new FleetError(isErrorCode(code) ? code : 'REQUEST_INVALID', `vehicle ${vehicleId}: ${message}`);
}

const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERROR_TABLE, text);

/** What the vehicle said last stands in the details, with its age, so that whoever asks has something to go by. */
async function unreachable(vehicleId: string, reported: ReportedState | undefined): Promise<FleetError> {
  if (reported === undefined)
    return new FleetError('AGENT_UNREACHABLE', `vehicle ${vehicleId} does not answer and has never reported`);
  const ageMs = Date.now() - Date.parse(reported.at);
  return new FleetError(
    'AGENT_UNREACHABLE',
    `vehicle ${vehicleId} does not answer; it reported last at ${reported.at}`,
    {
      details: { vehicleId, reportedAt: reported.at, ageMs, reported: JSON.stringify(reported) },
    },
  );
}
