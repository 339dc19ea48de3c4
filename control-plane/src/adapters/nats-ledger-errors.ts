/** Why: whoever reads that an append failed must learn whether it may stand nevertheless, and what to do about it. */
import { FleetError } from '@fleetloop/schemas';
import { JetStreamApiError } from '@nats-io/jetstream';
import { NoRespondersError, RequestError, TimeoutError } from '@nats-io/transport-node';

/** `wrong last sequence`, with and without the sequence (nats-server errors.json). */
const WRONG_SEQUENCE_CODES: readonly number[] = [10_071, 10_164];
/** No room: insufficient resources, resource limits of the account, storage of the server, bytes of the stream. */
const NO_ROOM_CODES: readonly number[] = [10_002, 10_023, 10_028, 10_047, 10_077];

/** What the server or the link said, as an error of the ledger. */
export function asLedgerError(error: unknown): FleetError {
  if (error instanceof JetStreamApiError && WRONG_SEQUENCE_CODES.includes(error.code)) {
    return new FleetError(
      'LEDGER_CONFLICT',
      'somebody else wrote to the same subject first: read it again and decide anew',
      { cause: error },
    );
  }
  const advice = adviceFor(error);
  return advice === undefined
    ? FleetError.from(error, 'LEDGER_UNAVAILABLE')
    : new FleetError('LEDGER_UNAVAILABLE', advice, { cause: error });
}

function adviceFor(error: unknown): string | undefined {
  if (error instanceof JetStreamApiError && NO_ROOM_CODES.includes(error.code))
    return `the ledger's nats-server has no room to append (${error.message}): make room where its JetStream store is or raise its limits, restart it, and repeat`;
  if (error instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders()))
    return "the ledger's nats-server answers but takes no appends: look whether JetStream is on and its disk has room, restart it, and repeat";
  if (error instanceof TimeoutError)
    return "the ledger's nats-server did not answer in time, and an append may have been stored: look whether it runs and its disk has room, then repeat";
  return undefined;
}
