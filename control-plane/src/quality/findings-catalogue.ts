/** Why: the findings of all checked recordings, filtered by CEL, joined with what is known of the recordings. */
import { compileExpression } from '@fleetloop/schemas';
import type { Projection, Row } from '../ports.ts';
import type { CheckedRecording, FoundIn } from './shared-cause.ts';

/** Rows read from the projection at once, and recordings that shared causes are sought in. */
const SCAN_ROWS = 1_000;
const CHECKED_MAX = 100_000;

export type FindingRow = {
  readonly sequence: number;
  readonly recording: string;
  readonly rule: string;
  readonly version: number;
  readonly severity: string;
  readonly topic: string | null;
  readonly fromNs: string | null;
  readonly toNs: string | null;
  readonly message: string;
  readonly verdict: string;
  readonly standard: string;
  readonly vehicle: string;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  readonly session: string;
};

const VARIABLES = {
  recording: 'string',
  rule: 'string',
  severity: 'string',
  topic: 'string',
  message: 'string',
  verdict: 'string',
  standard: 'string',
  vehicle: 'string',
  hardwareRevision: 'string',
  softwareVersion: 'string',
  session: 'string',
} as const;

const SELECT = `SELECT f.*, r.vehicle_id, r.hardware_revision, r.software_version, r.session
  FROM findings f LEFT JOIN recordings r ON r.recording = f.recording`;

export type FindingPage = { readonly findings: readonly FindingRow[]; readonly next: string | null };

/**
 * Matches in the order of the ledger; all findings of one check have one sequence, so a page may be longer than its limit by one check.
 * @throws FleetError REQUEST_INVALID pointing at the character
 */
export async function listFindings(
  projection: Projection,
  { where, limit, after }: { readonly where?: string | undefined; readonly limit: number; readonly after: number },
): Promise<FindingPage> {
  const matches = where === undefined ? () => true : compileWhere(where);
  const findings: FindingRow[] = [];
  let cursor = after;
  for (;;) {
    const sequences = await projection.query(
      `SELECT DISTINCT sequence FROM findings WHERE sequence > $cursor ORDER BY sequence LIMIT ${SCAN_ROWS}`,
      { cursor },
    );
    const last = sequences.at(-1)?.['sequence'];
    if (last === undefined) return { findings, next: null };
    const rows = await projection.query(
      `${SELECT} WHERE f.sequence > $cursor AND f.sequence <= $last ORDER BY f.sequence, f.position`,
      { cursor, last: Number(last) },
    );
    for (const finding of rows.map(toFinding)) {
      if (findings.length >= limit && finding.sequence !== findings.at(-1)?.sequence)
        return { findings, next: String(findings.at(-1)?.sequence ?? cursor) };
      if (matches(finding)) findings.push(finding);
    }
    cursor = Number(last);
    if (sequences.length < SCAN_ROWS) return { findings, next: null };
  }
}

/** What shared causes are computed from: the newest check of each recording. */
export async function readChecked(
  projection: Projection,
): Promise<{ readonly checked: readonly CheckedRecording[]; readonly found: readonly FoundIn[] }> {
  const rows = await projection.query(
    `SELECT c.recording, r.vehicle_id, r.software_version, r.hardware_revision, r.firmware, r.start_ns, r.end_ns
     FROM checks c JOIN recordings r ON r.recording = c.recording ORDER BY c.sequence DESC LIMIT ${CHECKED_MAX}`,
  );
  const checked = new Map(rows.map((row) => [String(row['recording']), toChecked(row)]));
  const found = await projection.query('SELECT DISTINCT recording, rule, topic FROM findings');
  return {
    checked: [...checked.values()],
    found: found.map((row) => ({
      recording: String(row['recording']),
      rule: String(row['rule']),
      topic: textOrNull(row['topic']),
    })),
  };
}

function compileWhere(where: string): (finding: FindingRow) => boolean {
  const { evaluate } = compileExpression(where, VARIABLES, { syntax: 'REQUEST_INVALID', type: 'REQUEST_INVALID' });
  return ({ recording, rule, severity, topic, message, verdict, standard, ...rest }) => {
    const { vehicle, hardwareRevision, softwareVersion, session } = rest;
    const named = { vehicle, hardwareRevision, softwareVersion, session };
    return evaluate({ recording, rule, severity, topic: topic ?? '', message, verdict, standard, ...named });
  };
}

function toFinding(row: Row): FindingRow {
  return {
    sequence: Number(row['sequence']),
    recording: String(row['recording']),
    rule: String(row['rule']),
    version: Number(row['version']),
    severity: String(row['severity']),
    topic: textOrNull(row['topic']),
    fromNs: textOrNull(row['from_ns']),
    toNs: textOrNull(row['to_ns']),
    message: String(row['message']),
    verdict: String(row['verdict']),
    standard: String(row['standard']),
    vehicle: textOrNull(row['vehicle_id']) ?? '',
    hardwareRevision: textOrNull(row['hardware_revision']) ?? '',
    softwareVersion: textOrNull(row['software_version']) ?? '',
    session: textOrNull(row['session']) ?? '',
  };
}

function toChecked(row: Row): CheckedRecording {
  return {
    recording: String(row['recording']),
    vehicle: String(row['vehicle_id']),
    softwareVersion: String(row['software_version']),
    hardwareRevision: String(row['hardware_revision']),
    firmware: String(row['firmware']),
    startNs: String(row['start_ns']),
    endNs: String(row['end_ns']),
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
