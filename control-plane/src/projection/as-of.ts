/**
 * Why: every answer can be asked for as it was. Rows are only ever added and carry the sequence of their entry, so the
 * projection as of an entry is each table cut off there. This puts the cut in front of every question, so that whoever
 * asks does not have to think of it in each.
 */
import { FleetError, type FactKind } from '@fleetloop/schemas';
import { z } from 'zod';
import { parseRequest } from '../api/request.ts';
import type { Projection, RebuildReport, Row, StoredFact } from '../ports.ts';
import { CURRENT_LABELS, TABLE_NAMES } from './tables.ts';

/** A ledger sequence, or an RFC 3339 time; in the query of every route that reads the projection. */
export const AsOf = z.union([z.string().regex(/^\d{1,15}$/), z.iso.datetime({ offset: true })]);
const AsOfQuery = z.object({ asOf: AsOf.optional() });

/**
 * The projection that a request asks about: the one that serves, or that as of `asOf` in its query.
 * @throws FleetError REQUEST_INVALID; TRACE_UNKNOWN when the ledger had no entry then
 */
export async function projectionFor(projection: Projection, query: unknown): Promise<Projection> {
  const { asOf } = parseRequest(AsOfQuery, query, 'query');
  return asOf === undefined ? projection : new ProjectionAsOf(projection, await sequenceAsOf(projection, asOf));
}

/** The last ledger entry at or before a point. @throws FleetError TRACE_UNKNOWN when there was none */
export async function sequenceAsOf(projection: Projection, asOf: string): Promise<number> {
  if (/^\d+$/.test(asOf)) return Number(asOf);
  const [row] = await projection.query('SELECT max(sequence) AS sequence FROM facts WHERE at_ms <= $atMs::BIGINT', {
    atMs: String(Date.parse(asOf)),
  });
  if (row?.['sequence'] === null || row === undefined)
    throw new FleetError('TRACE_UNKNOWN', `the ledger had no entry at ${asOf}`);
  return Number(row['sequence']);
}

/** A projection that knows nothing after one ledger entry. */
export class ProjectionAsOf implements Projection {
  readonly #projection: Projection;
  readonly #sequence: number;

  constructor(projection: Projection, sequence: number) {
    this.#projection = projection;
    this.#sequence = sequence;
  }

  appliedSequence(): number {
    return Math.min(this.#sequence, this.#projection.appliedSequence());
  }

  async waitFor(sequence: number, signal?: AbortSignal): Promise<void> {
    await this.#projection.waitFor(Math.min(sequence, this.#sequence), signal);
  }

  async query(sql: string, parameters?: Parameters<Projection['query']>[1]): Promise<readonly Row[]> {
    return this.#projection.query(cutOff(sql, this.#sequence), parameters);
  }

  async facts<Kind extends FactKind>(
    kind: Kind,
    options: Parameters<Projection['facts']>[1] = {},
  ): Promise<readonly StoredFact<Kind>[]> {
    const asOfSequence = Math.min(this.#sequence, options.asOfSequence ?? Number.MAX_SAFE_INTEGER);
    return this.#projection.facts(kind, { ...options, asOfSequence });
  }

  async rebuild(signal?: AbortSignal): Promise<RebuildReport> {
    return this.#projection.rebuild(signal);
  }
}

/** Names of common table expressions go before those of tables, so the question itself stays as it is. */
function cutOff(sql: string, sequence: number): string {
  const named = TABLE_NAMES.filter((table) => new RegExp(`\\b${table}\\b`, 'u').test(sql));
  const hasLabels = /\bcurrent_labels\b/u.test(sql);
  const tables = (hasLabels && !named.includes('labels') ? [...named, 'labels' as const] : named).map(
    (table) =>
      `"${table}" AS NOT MATERIALIZED (SELECT * FROM main."${table}" WHERE sequence <= ${Math.trunc(sequence)})`,
  );
  const all = hasLabels ? [...tables, `current_labels AS (${CURRENT_LABELS})`] : tables;
  return all.length === 0 ? sql : `WITH ${all.join(', ')} SELECT * FROM (${sql})`;
}
