/** Why: people type what they have at hand: an id, a digest, or the beginning of one. */
import { FleetError } from '@fleetloop/schemas';
import type { Projection } from '../ports.ts';

const CANDIDATES_SHOWN = 8;

/** Exact ids win over names, names over unique prefixes. Labels begin with the digest of their recording, which is what such a prefix means. */
export async function findNode(projection: Projection, text: string, asOf: number): Promise<string> {
  if (text === '') throw new FleetError('TRACE_UNKNOWN', 'give the id of a node, or the beginning of one');
  const rows = await projection.query(
    `WITH known AS (
       SELECT id, regexp_replace(id, '^[a-z-]+:', '') AS rest FROM (
         SELECT id FROM nodes WHERE sequence <= $asOf::BIGINT UNION SELECT to_id FROM edges WHERE sequence <= $asOf::BIGINT
       )
     ), found AS (
       SELECT id, 0 AS rank FROM known WHERE id = $text
       UNION SELECT id, 1 FROM known WHERE rest = $text OR rest = 'sha256:' || $text
       UNION SELECT node, 1 FROM names WHERE name = $text AND sequence <= $asOf::BIGINT
       UNION SELECT id, 2 FROM known WHERE starts_with(id, $text)
         OR (NOT starts_with(id, 'label:') AND (starts_with(rest, $text) OR starts_with(rest, 'sha256:' || $text)))
     )
     SELECT DISTINCT id FROM found WHERE rank = (SELECT min(rank) FROM found) ORDER BY id LIMIT ${CANDIDATES_SHOWN + 1}`,
    { text, asOf: String(asOf) },
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
