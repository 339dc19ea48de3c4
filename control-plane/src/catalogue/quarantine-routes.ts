/** /v1/quarantine, and what people decide about a recording in it: a standard is policy, so somebody may take it in nevertheless. */
import { type FactBody, FleetError, parseDigest } from '@fleetloop/schemas';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { clientGone } from '../api/client-gone.ts';
import { actorOf, PageQuery, parseRequest } from '../api/request.ts';
import type { ReleaseRequest } from '../ingest/ports.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';
import type { Projection, Row } from '../ports.ts';

const QuarantineQuery = PageQuery.extend({ after: z.coerce.number().int().min(0).default(0) });
const DigestPath = z.object({ digest: z.string() });
const ReleaseBody = z.strictObject({ reason: z.string().trim().min(1).max(4_096) });

/** One refusal; `released` says who took the recording in after all, and why. */
export type Quarantined = {
  readonly sequence: number;
  readonly recording: string;
  readonly vehicleId: string;
  readonly eventId: string;
  readonly code: string;
  readonly message: string;
  readonly source: string;
  /** Blob with all findings, where a standard kept it out. */
  readonly report: string | null;
  readonly at: string;
  readonly released: { readonly actor: string; readonly at: string; readonly reason: string } | null;
};

export function registerQuarantineRoutes(
  app: FastifyInstance,
  { projection, ingest }: Pick<ControlPlane, 'projection' | 'ingest'>,
): void {
  app.get('/v1/quarantine', async (request) => {
    const { limit, after } = parseRequest(QuarantineQuery, request.query, 'query');
    const rows = await (await projectionFor(projection, request.query)).query(
      `${SELECT} WHERE q.sequence > $after ORDER BY q.sequence LIMIT $limit`,
      { after, limit },
    );
    const quarantined = rows.map(toQuarantined);
    return { quarantined, next: rows.length < limit ? null : String(quarantined.at(-1)?.sequence ?? 0) };
  });
  app.post('/v1/recordings/:digest/release', async (request, reply) => {
    const recording = parseDigest(parseRequest(DigestPath, request.params, 'path').digest);
    const { reason } = parseRequest(ReleaseBody, request.body);
    const kept = await brokenStandard(projection, recording);
    const outcome = await ingest.release({ recording, ...kept, reason, actor: actorOf(request) });
    await projection.waitFor(outcome.sequence, clientGone(reply));
    return reply.code(outcome.isNew ? 201 : 200).send(outcome);
  });
}

const SELECT = `SELECT q.*, f.at, f.key, f.actor AS told_by, f.body, r.reason, d.actor AS released_by, d.at AS released_at
  FROM quarantine q JOIN facts f USING (sequence)
  LEFT JOIN released r ON r.quarantine = q.sequence LEFT JOIN facts d ON d.sequence = r.sequence`;

/** Only what a standard kept out can be taken in: anything else is not a whole recording, or not who it says. */
async function brokenStandard(
  projection: Projection,
  recording: string,
): Promise<Pick<ReleaseRequest, 'quarantine' | 'key' | 'source' | 'importKey' | 'label'>> {
  const rows = await projection.query(`${SELECT} WHERE q.recording = $recording ORDER BY q.sequence DESC`, {
    recording,
  });
  const row = rows.find(({ code }) => code === 'INGEST_STANDARD');
  if (row !== undefined)
    return {
      quarantine: Number(row['sequence']),
      key: String(row['key']),
      source: row['source'] === 'import' ? 'import' : 'uplink',
      ...toldOf(row),
    };
  const [other] = rows;
  throw new FleetError(
    'NOT_FOUND',
    other === undefined
      ? `no recording ${recording} is in quarantine`
      : `recording ${recording} was refused with ${String(other['code'])}, which nobody can overrule: only what breaks the standard can be released`,
  );
}

/** What its import told about it, which is not in its bytes. */
function toldOf(row: Row): Pick<ReleaseRequest, 'importKey' | 'label'> {
  const { importKey, label } = JSON.parse(String(row['body'])) as FactBody<'recording.quarantined'>;
  return {
    ...(importKey === undefined ? {} : { importKey: parseDigest(importKey) }),
    ...(label === undefined ? {} : { label: { ...label, annotator: String(row['told_by']) } }),
  };
}

function toQuarantined(row: Row): Quarantined {
  const { released_by: actor, released_at: at, reason } = row;
  return {
    sequence: Number(row['sequence']),
    recording: String(row['recording']),
    vehicleId: String(row['vehicle_id']),
    eventId: String(row['event']),
    code: String(row['code']),
    message: String(row['message']),
    source: String(row['source']),
    report: typeof row['report'] === 'string' ? row['report'] : null,
    at: String(row['at']),
    released: typeof actor === 'string' ? { actor, at: String(at), reason: String(reason) } : null,
  };
}
