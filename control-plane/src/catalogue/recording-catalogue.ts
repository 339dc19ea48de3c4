/** The catalogue of recordings: what the ledger accepted, with the label that stands, filtered by CEL. */
import { compileRecordingFilter, type FilterableCircumstances } from '@fleetloop/schemas';
import type { Projection, Row } from '../ports.ts';

/** Rows read from the projection at once while a filter looks for matches. */
export const SCAN_ROWS = 1_000;
const NS_PER_SECOND = 1e9;

/** A recording as the API and the dataset stage see it. */
export type RecordingView = {
  /** Ledger sequence of its acceptance; the order of the catalogue and its paging cursor. */
  readonly sequence: number;
  readonly recording: string;
  readonly session: string;
  readonly source: 'uplink' | 'import';
  readonly vehicle: string;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  readonly event: string | null;
  readonly brief: string | null;
  readonly label: string | null;
  readonly durationSeconds: number;
  readonly startNs: string;
  readonly endNs: string;
  readonly sizeBytes: number;
  readonly messages: number;
  readonly attributes: Readonly<Record<string, string>>;
  readonly topics: Readonly<Record<string, number>>;
  /** Height of the sun at the start, degrees; null where the recording does not tell where it was. */
  readonly sunElevationDegrees: number | null;
} & FilterableCircumstances;

/** @throws FleetError REQUEST_INVALID pointing at the character */
function compileSearch(where: string): (recording: RecordingView) => boolean {
  const matches = compileRecordingFilter(where, 'REQUEST_INVALID');
  return (recording) => {
    try {
      return matches(recording);
    } catch {
      // A filter that asks for an attribute that this recording does not have does not match it.
      return false;
    }
  };
}

export type RecordingPage = {
  readonly recordings: readonly RecordingView[] /** Give it as `after` for the next page; null at the end. */;
  readonly next: string | null;
};

/** Matches in the order of the ledger. `afterSequence` is exclusive. */
export async function listRecordings(
  projection: Projection,
  options: { readonly where?: string; readonly limit: number; readonly afterSequence?: number },
): Promise<RecordingPage> {
  const matches = options.where === undefined ? () => true : compileSearch(options.where);
  const recordings: RecordingView[] = [];
  let after = options.afterSequence ?? 0;
  for (;;) {
    const rows = await projection.query(`${SELECT} WHERE r.sequence > $after ORDER BY r.sequence LIMIT ${SCAN_ROWS}`, {
      after,
    });
    for (const recording of rows.map(toRecordingView)) {
      after = recording.sequence;
      if (!matches(recording)) continue;
      recordings.push(recording);
      if (recordings.length === options.limit) return { recordings, next: String(after) };
    }
    if (rows.length < SCAN_ROWS) return { recordings, next: null };
  }
}

/** One recording by digest, or undefined. */
export async function findRecording(projection: Projection, recording: string): Promise<RecordingView | undefined> {
  const [row] = await projection.query(`${SELECT} WHERE r.recording = $recording`, { recording });
  return row === undefined ? undefined : toRecordingView(row);
}

const SELECT = `SELECT r.sequence, r.recording, r.session, r.source, r.vehicle_id, r.hardware_revision, r.software_version, r.event, r.brief,
  l.label, r.start_ns, r.end_ns, r.size_bytes, r.messages, r.attributes, r.topics, r.time_of_day, r.sun_elevation_degrees, r.weather,
  r.place_class, r.firmware, r.models, r.operator, r.consent, r.consent_scope, r.consent_expires_at, r.licence, r.licence_scope,
  r.licence_expires_at, r.synthetic, r.generator
  FROM recordings r LEFT JOIN current_labels l ON l.recording = r.recording`;

function toRecordingView(row: Row): RecordingView {
  const startNs = BigInt(String(row['start_ns']));
  const endNs = BigInt(String(row['end_ns']));
  return {
    sequence: Number(row['sequence']),
    recording: String(row['recording']),
    session: String(row['session']),
    source: row['source'] === 'import' ? 'import' : 'uplink',
    vehicle: String(row['vehicle_id']),
    hardwareRevision: String(row['hardware_revision']),
    softwareVersion: String(row['software_version']),
    event: textOrNull(row['event']),
    brief: textOrNull(row['brief']),
    label: textOrNull(row['label']),
    durationSeconds: Number(endNs - startNs) / NS_PER_SECOND,
    startNs: String(startNs),
    endNs: String(endNs),
    sizeBytes: Number(row['size_bytes']),
    messages: Number(row['messages']),
    attributes: JSON.parse(String(row['attributes'])) as Record<string, string>,
    topics: JSON.parse(String(row['topics'])) as Record<string, number>,
    sunElevationDegrees: typeof row['sun_elevation_degrees'] === 'number' ? row['sun_elevation_degrees'] : null,
    ...toCircumstances(row),
  };
}

function toCircumstances(row: Row): FilterableCircumstances {
  return {
    weather: String(row['weather']),
    placeClass: String(row['place_class']),
    timeOfDay: String(row['time_of_day']),
    firmware: String(row['firmware']),
    models: JSON.parse(String(row['models'])) as Record<string, string>,
    operator: String(row['operator']),
    consent: String(row['consent']),
    consentScope: JSON.parse(String(row['consent_scope'])) as string[],
    consentExpiresAt: String(row['consent_expires_at']),
    licence: String(row['licence']),
    licenceScope: JSON.parse(String(row['licence_scope'])) as string[],
    licenceExpiresAt: String(row['licence_expires_at']),
    synthetic: row['synthetic'] === true,
    generator: String(row['generator']),
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
