import assert from 'node:assert/strict';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { FleetError } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Projection, Row } from '../ports.ts';
import { schemaStatements } from '../projection/tables.ts';
import { IndexedGraph } from './indexed-graph.ts';
import { LineageFollower, type ServedSource } from './lineage-follower.ts';
import { ProjectionGraph } from './projection-graph.ts';
import { type Trace, traceLineage, type TraceSources } from './trace.ts';

type Edge = readonly [from: string, relation: string, to: string];
/** What one ledger entry says. */
type Entry = { readonly nodes: readonly string[]; readonly edges: readonly Edge[] };

/** The tables of the lineage in a DuckDB of their own, which entries are added to, as a projection serves them. */
class Tables implements ServedSource, AsyncDisposable {
  file = 0;
  questions = 0;
  #applied = 0;
  /** Fails the next question. */
  failure: FleetError | undefined;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  static async of(entries: readonly Entry[]): Promise<Tables> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    const tables = new Tables(instance, await instance.connect());
    const needed = /"(nodes|edges|names)" \(|ON (nodes|edges)\(/;
    for (const statement of schemaStatements()) if (needed.test(statement)) await tables.#connection.run(statement);
    await tables.append(entries);
    return tables;
  }

  async append(entries: readonly Entry[]): Promise<void> {
    const sequences = entries.map((_, index) => this.#applied + index + 1);
    const nodes = entries.flatMap((entry, index) =>
      entry.nodes.map((id) => [sequences[index], id, 'kind', `label ${index}`, 'at', `{"entry":${sequences[index]}}`]),
    );
    const edges = entries.flatMap((entry, index) => entry.edges.map((edge) => [sequences[index], ...edge]));
    await this.#insert('nodes', nodes);
    await this.#insert('edges', edges);
    this.#applied += entries.length;
  }

  /** As after a rebuild: the same rows in other places. */
  async swap(): Promise<void> {
    await this.#connection.run('CREATE TABLE former AS SELECT * FROM edges ORDER BY to_id; DELETE FROM edges');
    await this.#connection.run('INSERT INTO edges SELECT * FROM former ORDER BY sequence DESC; DROP TABLE former');
    this.file += 1;
  }

  appliedSequence = (): number => this.#applied;
  generation = (): number => this.file;

  async query(sql: string, parameters: Parameters<Projection['query']>[1] = {}): Promise<readonly Row[]> {
    this.questions += 1;
    const failure = this.failure;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
    const reader = await this.#connection.runAndReadAll(sql, { ...parameters });
    return reader.getRowObjectsJS() as readonly Row[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }

  async #insert(table: string, rows: readonly (readonly unknown[])[]): Promise<void> {
    if (rows.length === 0) return;
    const cells = rows.map((row) => `(${row.map((cell) => `'${String(cell)}'`).join(', ')})`);
    await this.#connection.run(`INSERT INTO ${table} VALUES ${cells.join(', ')}`);
  }
}

/** The answers of the index and of the tables to one question; the code of an error where there is none. */
async function both(
  tables: Tables,
  follower: LineageFollower,
  request: Parameters<typeof traceLineage>[1],
): Promise<readonly [Trace | string, Trace | string]> {
  const unused = async (): Promise<never> => Promise.reject(new Error('nobody asks'));
  const projection: Projection = {
    query: async (sql, parameters) => tables.query(sql, parameters),
    appliedSequence: () => tables.appliedSequence(),
    facts: async () => [],
    waitFor: unused,
    rebuild: unused,
  };
  const sources: TraceSources = { projection, telemetry: { inference: unused, inferences: async () => [] } };
  const answer = async (of: TraceSources): Promise<Trace | string> =>
    traceLineage(of, request).catch((error: unknown) => FleetError.from(error).code);
  return [await answer({ ...sources, graphAsOf: follower.graphAsOf }), await answer(sources)];
}

const id = fc.constantFrom('a:1', 'a:2', 'a:3', 'b:1', 'b:2', 'c:ä', 'c:漢', 'rollback:1', 'rollback:2', 'd:1');
const relation = fc.constantFrom('holds', 'answers', 'excludes', 'replaces', 'holds_against');
const entry: fc.Arbitrary<Entry> = fc.record({
  nodes: fc.array(id, { maxLength: 3 }),
  edges: fc.array(fc.tuple(id, relation, id), { maxLength: 5 }),
});

describe('the lineage index', () => {
  it('gives the answers of the tables, in both directions, as of any entry, while entries are added', async () => {
    const entries = fc.array(entry, { minLength: 1, maxLength: 25 });
    const direction = fc.constantFrom('up' as const, 'down' as const, 'both' as const);
    const share = fc.constantFrom(0.5, 0.8, 1);
    let wide = 0;
    await fc.assert(
      fc.asyncProperty(entries, entries, id, fc.tuple(direction, share), async (early, late, start, [way, part]) => {
        await using tables = await Tables.of(early);
        await using follower = LineageFollower.start({ source: tables });
        await follower.catchUp();
        await tables.append(late);
        const size = early.length + late.length;
        const [index, table] = await both(tables, follower, {
          id: start,
          direction: way,
          asOf: Math.ceil(size * part),
        });
        expect(index).toEqual(table);
        if (typeof index === 'string') expect(index).toBe('TRACE_UNKNOWN');
        else wide = Math.max(wide, index.nodes.length);
      }),
      { numRuns: 30 },
    );
    expect(wide).toBeGreaterThan(5);
  });

  it('gives the rows of the tables for any ids and limit, and says when there are more', async () => {
    const ids = fc.uniqueArray(id, { minLength: 1, maxLength: 6 });
    // With so many ids the nodes are joined and not looked up.
    const nobody = Array.from({ length: 100 }, (_, index) => `nobody:${index}`);
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 20 }),
        ids,
        fc.integer({ min: 1, max: 12 }),
        async (rows, of, limit) => {
          await using tables = await Tables.of(rows);
          await using follower = LineageFollower.start({ source: tables });
          await follower.catchUp();
          const asOf = Math.ceil((rows.length * 3) / 4);
          const [index, table] = [await follower.graphAsOf(asOf), new ProjectionGraph(tables, asOf)];
          expect(index).toBeInstanceOf(IndexedGraph);
          for (const end of ['from', 'to'] as const)
            expect(await index.edgesOf(of, end, limit)).toEqual(await table.edgesOf(of, end, limit));
          expect(await index.stated(of)).toEqual(await table.stated(of));
          expect(await index.mentioned(of)).toEqual(await table.mentioned(of));
          expect(await index.nodesOf([...of, ...nobody], limit)).toEqual(await table.nodesOf(of, limit));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('finds the ids that the tables find for the beginning of an id, of a digest, or for what was lost of an event', async () => {
    const part = fc.constantFrom(
      'recording:',
      'quarantine:',
      'label:',
      'lost-recording:',
      'sha256:',
      'v-1/',
      'e',
      '-rest-',
      '1',
      '2',
      'ab',
    );
    const text = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
    let fitted = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 1, maxLength: 30 }),
        fc.array(text, { maxLength: 20 }),
        async (ids, texts) => {
          await using tables = await Tables.of(
            ids.map((of) => ({ nodes: [of], edges: [[`x:${of}`, 'holds', `y:${of}`]] })),
          );
          await using follower = LineageFollower.start({ source: tables });
          await follower.catchUp();
          const asOf = Math.ceil(ids.length / 2);
          const [index, table] = [await follower.graphAsOf(asOf), new ProjectionGraph(tables, asOf)];
          for (const of of [...texts, ...ids]) {
            const found = await index.idsLike(of, 3);
            expect(found).toEqual(await table.idsLike(of, 3));
            fitted += found.ids.length;
          }
        },
      ),
      { numRuns: 10 },
    );
    expect(fitted).toBeGreaterThan(10);
  });

  it('reads the nodes of a wide answer from the entries that speak of them', async () => {
    const wide = Array.from(
      { length: 150 },
      (_, index): Entry => ({
        nodes: [`leaf:${index}`, `other:${index}`],
        edges: [[`leaf:${index}`, 'holds', 'root:1']],
      }),
    );
    await using tables = await Tables.of([...wide, ...wide]);
    await using follower = LineageFollower.start({ source: tables });
    await follower.catchUp();
    const before = tables.questions;
    const [index, table] = await both(tables, follower, { id: 'root:1', direction: 'up', asOf: 200 });
    expect(index).toEqual(table);
    assert(typeof index === 'object');
    expect(index.nodes).toHaveLength(151);
    expect(index.nodes.find((node) => node.id === 'leaf:3')?.detail).toEqual({ entry: 154 });
    expect(tables.questions - before).toBeLessThan(20);
  });
});

describe('the follower of the projection', () => {
  const chain: readonly Entry[] = [
    { nodes: ['a:1'], edges: [] },
    { nodes: ['b:1'], edges: [['b:1', 'holds', 'a:1']] },
    { nodes: ['c:1'], edges: [['c:1', 'holds', 'b:1']] },
  ];

  it('reads all rows again when another file serves, and answers from the tables until it has', async () => {
    await using tables = await Tables.of(Array.from({ length: 300 }, () => chain).flat());
    await using follower = LineageFollower.start({ source: tables });
    await follower.catchUp();
    const edges = follower.size().edges;
    expect(edges).toBe(600);
    await tables.swap();
    expect(await follower.graphAsOf(tables.appliedSequence())).toBeInstanceOf(ProjectionGraph);
    await follower.catchUp();
    expect(follower.size().edges).toBe(edges);
    const [index, table] = await both(tables, follower, { id: 'a:1', direction: 'up' });
    expect(index).toEqual(table);
    expect(await follower.graphAsOf(tables.appliedSequence())).toBeInstanceOf(IndexedGraph);
  });

  it('gives its memory back when there is too much of it, says so once, and answers stay right', async () => {
    const failures: string[] = [];
    await using tables = await Tables.of(chain);
    const onFailure = (error: FleetError): void => void failures.push(error.message);
    await using follower = LineageFollower.start({ source: tables, sizeBytesMax: 100_000, onFailure });
    await expect(follower.catchUp()).rejects.toThrow(/over its limit of 100000/);
    await follower.catchUp();
    expect(failures).toHaveLength(1);
    expect(follower.size()).toMatchObject({ edges: 0, sequence: 0 });
    const [index, table] = await both(tables, follower, { id: 'a:1', direction: 'up' });
    expect(index).toEqual(table);
    expect(index).toMatchObject({ nodes: [{ id: 'a:1' }, { id: 'b:1' }, { id: 'c:1' }] });
  });

  it('begins again after a question that failed', async () => {
    const failures: string[] = [];
    await using tables = await Tables.of(chain);
    await using follower = LineageFollower.start({
      source: tables,
      onFailure: (error) => void failures.push(error.code),
    });
    await follower.catchUp();
    await tables.append(chain);
    tables.failure = new FleetError('INTERNAL_UNEXPECTED', 'out of memory');
    await expect(follower.catchUp()).rejects.toThrow('out of memory');
    expect(failures).toEqual(['INTERNAL_UNEXPECTED']);
    await follower.catchUp();
    expect(follower.size()).toMatchObject({ edges: 4, sequence: 6 });
  });

  it('has a question wait for a few entries, and for no more', async () => {
    await using tables = await Tables.of(chain);
    await using follower = LineageFollower.start({ source: tables });
    await follower.catchUp();
    await tables.append(chain);
    expect(await follower.graphAsOf(6)).toBeInstanceOf(IndexedGraph);
    await tables.append(Array.from({ length: 100 }, () => chain).flat());
    expect(await follower.graphAsOf(306)).toBeInstanceOf(ProjectionGraph);
    // What was known before can still be asked of it.
    expect(await follower.graphAsOf(6)).toBeInstanceOf(IndexedGraph);
  });
});
