/** Why: people type what they have at hand: an id, a digest, or the beginning of one. */
import { FleetError, LOSS_SUFFIX } from '@fleetloop/schemas';
import type { Projection } from '../ports.ts';
import { graphRows } from './graph-rows.ts';
import { NODE_KINDS } from './lineage.ts';

const CANDIDATES_SHOWN = 8;
/** Facts and edges about whole ids that are looked at; they need not all be, to see that there is more than one. */
const CANDIDATE_ROWS_MAX = 1_000;

/** Exact ids win over names, names over unique prefixes; an event is the name of whatever was lost of it. Labels begin with the digest of their recording, which is what such a prefix means. */
export async function findNode(projection: Projection, text: string, asOf: number): Promise<string> {
  if (text === '') throw new FleetError('TRACE_UNKNOWN', 'give the id of a node, or the beginning of one');
  const whole = await findWhole(projection, text, asOf);
  if (whole !== undefined) return whole;
  const rows = await projection.query(
    `WITH known AS (
       SELECT id, regexp_replace(id, '^[a-z-]+:', '') AS rest FROM (
         SELECT id FROM nodes WHERE sequence <= $asOf::BIGINT UNION SELECT to_id FROM edges WHERE sequence <= $asOf::BIGINT
       )
     ), found AS (
       SELECT id, 0 AS rank FROM known WHERE id = $text
       UNION SELECT id, 1 FROM known WHERE rest = $text OR rest = 'sha256:' || $text
       UNION SELECT id, 1 FROM known WHERE starts_with(id, 'lost-recording:')
         AND starts_with(split_part(rest, '/', 2), $text)
         AND regexp_full_match(substr(split_part(rest, '/', 2), length($text) + 1), $suffix)
       UNION SELECT node, 1 FROM names WHERE name = $text AND sequence <= $asOf::BIGINT
       UNION SELECT id, 2 FROM known WHERE starts_with(id, $text)
         OR (NOT starts_with(id, 'label:') AND (starts_with(rest, $text) OR starts_with(rest, 'sha256:' || $text)))
     )
     SELECT DISTINCT id FROM found WHERE rank = (SELECT min(rank) FROM found) ORDER BY id LIMIT ${CANDIDATES_SHOWN + 1}`,
    { text, suffix: LOSS_SUFFIX, asOf: String(asOf) },
  );
  const ids = rows.map((row) => String(row['id']));
  const [only] = ids;
  if (only === undefined)
    throw new FleetError(
      'TRACE_UNKNOWN',
      `nothing in the ledger has an id that is or begins with ${JSON.stringify(text)}`,
    );
  if (ids.length === 1) return only;
  const shown = ids.slice(0, CANDIDATES_SHOWN).join(', ');
  throw new FleetError(
    'TRACE_AMBIGUOUS',
    `${JSON.stringify(text)} fits ${shown}${ids.length > CANDIDATES_SHOWN ? ' and more' : ''}: give more of it`,
  );
}

/** Whole ids, names and digests are looked up; undefined when there is none, or more than one: then all is searched. */
async function findWhole(projection: Projection, text: string, asOf: number): Promise<string | undefined> {
  const digest = /^[0-9a-f]{64}$/.test(text) ? [`sha256:${text}`] : [];
  const candidates = [text, ...digest].flatMap((id) => [id, ...NODE_KINDS.map((kind) => `${kind}:${id}`)]);
  const question = { asOf, limit: CANDIDATE_ROWS_MAX };
  const nodes = await graphRows(projection, candidates, {
    ...question,
    table: 'nodes',
    column: 'id',
    columns: 'id, sequence',
  });
  const mentioned = await graphRows(projection, candidates, {
    ...question,
    table: 'edges',
    column: 'to_id',
    columns: 'to_id AS id, sequence',
  });
  const named = await projection.query(
    'SELECT node AS id FROM names WHERE name = $text AND sequence <= $asOf::BIGINT',
    {
      text,
      asOf: String(asOf),
    },
  );
  const ids = new Set([...nodes, ...mentioned, ...named].map((row) => String(row['id'])));
  if (ids.has(text)) return text;
  return ids.size === 1 ? [...ids][0] : undefined;
}
