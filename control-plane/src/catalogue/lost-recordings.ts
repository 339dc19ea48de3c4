/** Recordings that will never arrive, as the tombstones of their vehicles explain them. */
import { LOSS_SUFFIX } from '@fleetloop/schemas';
import type { Projection } from '../ports.ts';

export type LostRecording = {
  readonly sequence: number;
  readonly vehicle: string;
  readonly event: string;
  /** Null when it was never written as a whole. */
  readonly recording: string | null;
  readonly sizeBytes: number;
  readonly priority: string;
  readonly session: string;
  readonly campaigns: readonly string[];
  readonly startNs: string;
  readonly endNs: string;
  readonly code: string;
  readonly reason: string;
  readonly lostAt: string;
};

export type LostFilter = {
  readonly vehicle?: string | undefined;
  /** Every loss of the event, whatever the vehicle named it. */
  readonly event?: string | undefined;
  readonly recording?: string | undefined;
  readonly after: number;
  readonly limit: number;
};

/** In the order of the ledger. */
export async function listLost(projection: Projection, filter: LostFilter): Promise<readonly LostRecording[]> {
  const { vehicle = '', event = '', recording = '', after, limit } = filter;
  const rows = await projection.query(
    `SELECT * FROM lost_recordings WHERE sequence > $after AND ($vehicle = '' OR vehicle_id = $vehicle)
     AND ($event = '' OR (starts_with(event, $event)
       AND regexp_full_match(substr(event, length($event) + 1), $suffix))) AND ($recording = '' OR recording = $recording) ORDER BY sequence LIMIT $limit`,
    { vehicle, event, recording, suffix: LOSS_SUFFIX, after, limit },
  );
  return rows.map((row) => ({
    sequence: Number(row['sequence']),
    vehicle: String(row['vehicle_id']),
    event: String(row['event']),
    recording: typeof row['recording'] === 'string' ? row['recording'] : null,
    sizeBytes: Number(row['size_bytes']),
    priority: String(row['priority']),
    session: String(row['session']),
    campaigns: JSON.parse(String(row['campaigns'])) as string[],
    startNs: String(row['start_ns']),
    endNs: String(row['end_ns']),
    code: String(row['code']),
    reason: String(row['reason']),
    lostAt: String(row['lost_at']),
  }));
}
