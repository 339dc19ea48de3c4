/** Why: rows of a query are read chunk by chunk in DuckDB's own memory, so that no row becomes an object and none are held. */
import type { DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api';

/** Hands each chunk to `work`. @throws the reason of `signal` when it aborts */
export async function eachChunk(
  result: DuckDBResult,
  signal: AbortSignal,
  work: (chunk: DuckDBDataChunk) => void,
): Promise<void> {
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    signal.throwIfAborted();
    work(chunk);
  }
}

/** The vector's own memory, valid until the next chunk; its class hides it behind a getter per value, which is ten times slower. */
export function doublesOf(chunk: DuckDBDataChunk, column: number): Float64Array {
  const { items } = chunk.getColumnVector(column) as unknown as { readonly items: Float64Array };
  return items;
}

/** As `doublesOf`, for INTEGER columns. */
export function integersOf(chunk: DuckDBDataChunk, column: number): Int32Array {
  const { items } = chunk.getColumnVector(column) as unknown as { readonly items: Int32Array };
  return items;
}
