import { FleetError } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { LocalEntryChecks } from './entry-checks.ts';
import { LedgerProgress, WatchedChecks } from './ledger-progress.ts';

/** A clock that goes a second further each time that it is looked at. */
function progress(
  total: number | undefined,
  signal?: AbortSignal,
): { readonly said: string[]; readonly of: LedgerProgress } {
  const said: string[] = [];
  let seconds = 0;
  const nowMs = (): number => 1_000 * (seconds += 1);
  return { said, of: new LedgerProgress({ work: 'checked', total, say: (line) => said.push(line), signal, nowMs }) };
}

async function* entries(count: number): AsyncIterable<{ readonly sequence: number }> {
  for (let sequence = 1; sequence <= count; sequence += 1) yield { sequence };
}

async function readAll(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of items) count += 1;
  return count;
}

describe('the progress of reading a ledger', () => {
  it('is said now and then, with the whole where it is known, and changes nothing of the entries', async () => {
    const { said, of } = progress(9_000);
    expect(await readAll(of.over(entries(9_000)))).toBe(9_000);
    expect(said[0]).toMatch(/^\d+ of 9000 entries checked$/);
    expect(said.length).toBeLessThan(9);
    const unknown = progress(undefined);
    await readAll(unknown.of.over(entries(9_000)));
    expect(unknown.said[0]).toMatch(/^\d+ entries checked$/);
  });

  it('says nothing of a short one', async () => {
    const { said, of } = progress(1_000);
    await readAll(of.over(entries(1_000)));
    expect(said).toEqual([]);
  });

  it('ends with a typed error between two entries when it is interrupted', async () => {
    const stop = new AbortController();
    const { of } = progress(9_000, stop.signal);
    stop.abort();
    await expect(readAll(of.over(entries(9_000)))).rejects.toMatchObject({ code: 'LEDGER_INTERRUPTED' });
    const checks = new WatchedChecks(new LocalEntryChecks(), of);
    const take = (): void => {
      for (let sequence = 1; sequence <= 9_000; sequence += 1) void checks.take(sequence, new Uint8Array());
    };
    expect(take).toThrow(FleetError);
    expect((await checks.finish()).firstMalformed?.sequence).toBe(1);
  });
});
