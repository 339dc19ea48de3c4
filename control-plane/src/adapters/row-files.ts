/** Why: the text of a batch is written to files where it is made, so that it need not travel to the thread that answers questions. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BatchTexts, type RawBatch } from '../projection/text-batch.ts';
import type { TableName } from '../projection/tables.ts';

/** Batches whose files are there at a time: one is loaded while the next is made. */
const BATCHES_AT_ONCE = 2;

export type RowFilesStart = {
  /** Where the files are put; it is there. */
  readonly folder: string;
  /** What all entries before the first batch have named. */
  readonly names: ReadonlyMap<string, string>;
  /** Batches that somebody else has made before. */
  readonly batches: number;
};

/** The files of one batch, which stand until the one after the next is made. */
export type FileBatch = {
  /** Of the last entry. */
  readonly sequence: number;
  /** What the entries have named. */
  readonly names: ReadonlyMap<string, string>;
  readonly files: readonly { readonly table: TableName; readonly path: string }[];
};

export interface RowFileMaker {
  /** Batches come in order. @throws FleetError LEDGER_TAMPERED; INTERNAL_UNEXPECTED when the disk is full */
  make(batch: RawBatch): Promise<FileBatch>;
}

/** Makes them on this thread. */
export class RowFiles implements RowFileMaker {
  readonly #folder: string;
  readonly #texts: BatchTexts;
  #batches: number;

  constructor({ folder, names, batches }: RowFilesStart) {
    this.#folder = folder;
    this.#batches = batches;
    this.#texts = new BatchTexts(names);
  }

  /** With what somebody else goes on, once all that was asked for is made. */
  get next(): RowFilesStart {
    return { folder: this.#folder, names: this.#texts.names, batches: this.#batches };
  }

  async make(raw: RawBatch): Promise<FileBatch> {
    const { sequence, names, tables } = await this.#texts.make(raw);
    const place = this.#batches % BATCHES_AT_ONCE;
    this.#batches += 1;
    const files = tables.map(({ table, text }) => {
      const path = join(this.#folder, `${table}-${place}.csv`);
      writeFileSync(path, text);
      return { table, path };
    });
    return { sequence, names, files };
  }
}
