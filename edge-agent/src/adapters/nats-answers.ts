/** What a nats-server answers to a publish or a request, as the errors of the table. */
import { FleetError } from '@fleetloop/schemas';
import { errors } from '@nats-io/transport-node';

/** JetStream API error codes (server errors.json) of a stream that is full: maximum messages or bytes, resources. */
const BUSY_ERROR_CODES: ReadonlySet<number> = new Set([10_023, 10_047, 10_077, 10_122, 10_167]);

/** Whether a stream stored the message. @throws FleetError UPLINK_BUSY, UPLINK_UNAVAILABLE */
export function checkStored(subject: string, data: Uint8Array): void {
  const answer = parseAnswer(data);
  if (answer.error !== undefined) {
    const code =
      BUSY_ERROR_CODES.has(answer.error.err_code ?? 0) || answer.error.code === 503
        ? 'UPLINK_BUSY'
        : 'UPLINK_UNAVAILABLE';
    throw new FleetError(
      code,
      `the stream behind ${subject} did not store a message: ${answer.error.description ?? 'no reason given'}`,
    );
  }
  if (answer.stream === undefined)
    throw new FleetError(
      'UPLINK_UNAVAILABLE',
      `no stream stored the message on ${subject}: the control plane may not be set up`,
    );
}

/** The error of the table that a failed request is. */
export function toFleetError(subject: string, error: unknown): FleetError {
  if (isForbidden(error)) {
    return new FleetError(
      'UPLINK_FORBIDDEN',
      `the server does not let this vehicle use ${subject}: enrol the vehicle again`,
      { cause: error },
    );
  }
  return new FleetError('UPLINK_UNAVAILABLE', `no answer on ${subject}: ${reasonOf(error)}`, { cause: error });
}

/** A request wraps what the server said. */
function isForbidden(error: unknown): boolean {
  if (error instanceof errors.PermissionViolationError) return true;
  return error instanceof Error && error.cause instanceof errors.PermissionViolationError;
}

/** Whether nothing came in time, as opposed to a connection that ended. */
export function isTimeout(error: unknown): boolean {
  return error instanceof FleetError && error.cause instanceof errors.TimeoutError;
}

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

type StreamAnswer = {
  readonly stream?: string;
  readonly error?: { readonly code?: number; readonly err_code?: number; readonly description?: string };
};

function parseAnswer(data: Uint8Array): StreamAnswer {
  try {
    const answer: unknown = JSON.parse(new TextDecoder().decode(data));
    return typeof answer === 'object' && answer !== null ? answer : {};
  } catch {
    return {};
  }
}
