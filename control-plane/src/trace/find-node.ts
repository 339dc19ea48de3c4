/** Why: people type what they have at hand: an id, a digest, or the beginning of one. */
import { FleetError } from '@fleetloop/schemas';
import type { Projection } from '../ports.ts';
import { NODE_KINDS } from './lineage.ts';
import { compareText, type IdsLike, type LineageGraph } from './lineage-graph.ts';

const CANDIDATES_SHOWN = 8;

/** Where a node is looked for: the graph and the names as of an entry. */
type NodesKnown = { readonly graph: LineageGraph; readonly projection: Projection; readonly asOf: number };

/** Exact ids win over names, names over unique prefixes; an event is the name of whatever was lost of it. Labels begin with the digest of their recording, which is what such a prefix means. */
export async function findNode(known: NodesKnown, text: string): Promise<string> {
  if (text === '') throw new FleetError('TRACE_UNKNOWN', 'give the id of a node, or the beginning of one');
  const whole = await findWhole(known, text);
  if (whole !== undefined) return whole;
  const like = await known.graph.idsLike(text, CANDIDATES_SHOWN + 1);
  const ids = withoutDoubts(bestOf(like, await namedBy(known, text)));
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
async function findWhole(known: NodesKnown, text: string): Promise<string | undefined> {
  const digest = /^[0-9a-f]{64}$/.test(text) ? [`sha256:${text}`] : [];
  const candidates = [text, ...digest].flatMap((id) => [id, ...NODE_KINDS.map((kind) => `${kind}:${id}`)]);
  const { graph } = known;
  const ids = new Set([...(await graph.stated(candidates)), ...(await graph.mentioned(candidates))]);
  if (ids.has(text)) return text;
  for (const id of await namedBy(known, text)) ids.add(id);
  const [only, ...others] = withoutDoubts([...ids]);
  return others.length === 0 ? only : undefined;
}

async function namedBy({ projection, asOf }: NodesKnown, name: string): Promise<readonly string[]> {
  const question = 'SELECT DISTINCT node FROM names WHERE name = $name AND sequence <= $asOf::BIGINT';
  const rows = await projection.query(question, { name, asOf: String(asOf) });
  return rows.map((row) => String(row['node']));
}

/** A name is as good as the part of an id after its kind. */
function bestOf({ rank, ids }: IdsLike, named: readonly string[]): readonly string[] {
  if (named.length === 0 || rank === 0) return ids;
  return rank === 1 ? [...new Set([...ids, ...named])].toSorted(compareText) : named.toSorted(compareText);
}

/** A recording that was in quarantine before is the recording; its quarantine is one edge away. */
function withoutDoubts(ids: readonly string[]): readonly string[] {
  const known = new Set(ids);
  return ids.filter((id) => !known.has(id.replace(/^quarantine:/, 'recording:')) || !id.startsWith('quarantine:'));
}
