/** Pulls: stored time ranges that people ask vehicles for. Facts come first, then the vehicle's desired state; both ways. */
import { randomUUID } from 'node:crypto';
import { type FactBody, FleetError, PullRequest, type ReportedState } from '@fleetloop/schemas';
import { appendOnce } from '../ingest/facts.ts';
import type { Ledger, Projection, VehicleStates } from '../ports.ts';

/** States after which a vehicle does nothing more for a pull. */
const END_STATES: ReadonlySet<string> = new Set(['uploaded', 'unavailable', 'refused', 'cancelled']);
const OPEN_PULLS_MAX = 10_000;
export const PULLS_LISTED_MAX = 1_000;
const SETTLE_ACTOR = 'pulls';

export type PullParts = { readonly ledger: Ledger; readonly projection: Projection; readonly vehicles: VehicleStates };
export type PullWish = Omit<PullRequest, 'id' | 'requestedBy'>;

/** A pull with what has become of it. */
export type PullView = {
  readonly pullId: string;
  readonly vehicleId: string;
  /** `requested` until the vehicle says something. */
  readonly state: string;
  readonly request: PullRequest;
  readonly requestedAt: string;
  readonly eventIds: readonly string[];
  readonly code: string | null;
  readonly reason: string | null;
  /** Digests of recordings in the catalogue that answer it. */
  readonly recordings: readonly string[];
};

/** @throws FleetError PULL_INVALID, LEDGER_UNAVAILABLE */
export async function requestPull(
  vehicleId: string,
  wish: PullWish,
  actor: string,
  parts: PullParts,
): Promise<{ readonly pullId: string; readonly sequence: number }> {
  if (BigInt(wish.fromNs) > BigInt(wish.toNs))
    throw new FleetError('PULL_INVALID', `the range ends (${wish.toNs}) before it begins (${wish.fromNs})`);
  const pullId = `pl-${randomUUID().replaceAll('-', '').slice(0, 20)}`;
  const request: PullRequest = { ...wish, id: pullId, requestedBy: actor };
  const fact = { kind: 'pull.requested', key: pullId, actor, body: { pullId, vehicleId, request } } as const;
  const { sequence } = await appendOnce(parts.ledger, [fact]);
  try {
    await parts.vehicles.addPull(vehicleId, request);
  } catch (error) {
    const { code, message } = FleetError.from(error);
    await finish(parts.ledger, { pullId, vehicleId, state: 'refused', eventIds: [], code, reason: message });
    throw error;
  }
  return { pullId, sequence };
}

/** Cancelling again, or after the end, changes nothing. @throws FleetError NOT_FOUND */
export async function cancelPull(
  pull: { readonly vehicleId: string; readonly pullId: string; readonly reason: string; readonly actor: string },
  parts: PullParts,
): Promise<{ readonly sequence: number }> {
  const { vehicleId, pullId, reason, actor } = pull;
  const [view] = await listPulls(parts, { vehicleId, pullId });
  if (view === undefined) throw new FleetError('NOT_FOUND', `no pull ${pullId} was asked of ${vehicleId}`);
  await parts.vehicles.removePull(vehicleId, pullId);
  if (END_STATES.has(view.state)) return { sequence: 0 };
  const { sequences } = await parts.ledger.append([
    { kind: 'pull.cancelled', key: pullId, actor, body: { pullId, vehicleId, reason } },
  ]);
  return { sequence: sequences[0] ?? 0 };
}

/** Newest first. What the vehicle reports now stands over what the ledger says, as long as the ledger does not know the end. */
export async function listPulls(
  parts: Pick<PullParts, 'projection' | 'vehicles'>,
  filter: { readonly vehicleId: string; readonly pullId?: string },
): Promise<readonly PullView[]> {
  const { vehicleId, pullId = '' } = filter;
  const rows = await parts.projection.query(
    `SELECT r.pull_id, r.request, f.at, s.state, s.events, s.code, s.reason,
       (SELECT json_group_array(recording) FROM recordings WHERE pull = r.pull_id) AS recordings
     FROM pulls r JOIN facts f USING (sequence)
     JOIN (SELECT * FROM pulls QUALIFY row_number() OVER (PARTITION BY pull_id ORDER BY sequence DESC) = 1) s ON s.pull_id = r.pull_id
     WHERE r.state = 'requested' AND r.vehicle_id = $vehicleId AND ($pullId = '' OR r.pull_id = $pullId)
     ORDER BY r.sequence DESC LIMIT ${PULLS_LISTED_MAX}`,
    { vehicleId, pullId },
  );
  const reported = rows.some((row) => row['state'] === 'requested')
    ? await parts.vehicles.reported(vehicleId)
    : undefined;
  return rows.map((row) => {
    const id = String(row['pull_id']);
    const live = row['state'] === 'requested' ? reportOf(reported, id) : undefined;
    return {
      pullId: id,
      vehicleId,
      state: live?.state ?? String(row['state']),
      request: PullRequest.parse(JSON.parse(String(row['request']))),
      requestedAt: String(row['at']),
      eventIds: live?.eventIds ?? (JSON.parse(String(row['events'])) as string[]),
      code: live?.code ?? textOrNull(row['code']),
      reason: live?.reason ?? textOrNull(row['reason']),
      recordings: JSON.parse(textOrNull(row['recordings']) ?? '[]') as string[],
    };
  });
}

/** Files the end of pulls that vehicles report as ended, and takes them off their desired states. */
export async function settlePulls(parts: PullParts): Promise<number> {
  const rows = await parts.projection.query(
    `SELECT pull_id, vehicle_id FROM pulls QUALIFY row_number() OVER (PARTITION BY pull_id ORDER BY sequence DESC) = 1
       AND state = 'requested' LIMIT ${OPEN_PULLS_MAX}`,
  );
  const byVehicle = Map.groupBy(rows, (row) => String(row['vehicle_id']));
  let settled = 0;
  for (const [vehicleId, open] of byVehicle) {
    const reported = await parts.vehicles.reported(vehicleId);
    for (const row of open) {
      const pullId = String(row['pull_id']);
      const report = reportOf(reported, pullId);
      if (report === undefined || !END_STATES.has(report.state)) continue;
      const { state, eventIds, code, reason } = report;
      const why = { ...(code === undefined ? {} : { code }), ...(reason === undefined ? {} : { reason }) };
      await finish(parts.ledger, { pullId, vehicleId, state, eventIds, ...why });
      await parts.vehicles.removePull(vehicleId, pullId);
      settled += 1;
    }
  }
  return settled;
}

async function finish(ledger: Ledger, body: FactBody<'pull.finished'>): Promise<void> {
  await ledger.append([{ kind: 'pull.finished', key: body.pullId, actor: SETTLE_ACTOR, body }]);
}

type PullReport = NonNullable<ReportedState['pulls']>[number];

function reportOf(reported: ReportedState | undefined, pullId: string): PullReport | undefined {
  return reported?.pulls?.find(({ id }) => id === pullId);
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
