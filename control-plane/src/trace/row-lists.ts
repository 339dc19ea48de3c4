/** Why: the rows that belong to each id, as one linked list per id in three columns. Mutates: a hot path. */
import { GrowingColumn, NONE } from './growing-column.ts';

export class RowLists {
  readonly #heads = new GrowingColumn();
  readonly #tails = new GrowingColumn();
  readonly #next = new GrowingColumn();
  /** Of each row; shared with whoever made the lists. */
  readonly #sequences: GrowingColumn;
  /** Each list has its oldest rows first: so it is as long as DuckDB writes entries in their order. */
  #isOrdered = true;

  constructor(sequences: GrowingColumn) {
    this.#sequences = sequences;
  }

  get sizeBytes(): number {
    return this.#heads.sizeBytes + this.#tails.sizeBytes + this.#next.sizeBytes;
  }

  /** Ties the next row to an id. */
  add(id: number): void {
    const row = this.#next.push(NONE);
    while (this.#heads.length <= id) {
      this.#heads.push(NONE);
      this.#tails.push(NONE);
    }
    const tail = this.#tails.at(id);
    if (tail === NONE) this.#heads.set(id, row);
    else this.#next.set(tail, row);
    if (tail !== NONE && this.#sequences.at(tail) > this.#sequences.at(row)) this.#isOrdered = false;
    this.#tails.set(id, row);
  }

  /** Whether an id has a row up to a sequence. */
  has(id: number, asOf: number): boolean {
    const found: number[] = [];
    this.collect(id, { asOf, limit: 1 }, found);
    return found.length > 0;
  }

  /** Adds the earliest rows of an id up to a sequence to `rows`, at most `limit` of them. */
  collect(id: number, { asOf, limit }: { readonly asOf: number; readonly limit: number }, rows: number[]): void {
    const found: number[] = this.#isOrdered ? rows : [];
    const end = this.#isOrdered ? rows.length + limit : Number.POSITIVE_INFINITY;
    for (let row = this.#heads.at(id); row !== NONE && found.length < end; row = this.#next.at(row)) {
      if (this.#sequences.at(row) <= asOf) found.push(row);
      else if (this.#isOrdered) return;
    }
    if (this.#isOrdered) return;
    found.sort((left, right) => this.#sequences.at(left) - this.#sequences.at(right));
    for (const row of found.slice(0, limit)) rows.push(row);
  }
}
