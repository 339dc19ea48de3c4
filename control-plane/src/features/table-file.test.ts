import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quoteText, withDuckDb } from '../training/parquet.ts';
import { requirePlaceOf, writeTableFile } from './table-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-table-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

describe('a table file', () => {
  it('takes the place of the former one only when it is whole', async () => {
    const path = join(folder, 'a.parquet');
    await writeFile(path, 'former');
    await writeTableFile(path, async (unfinished) => {
      await writeFile(unfinished, 'half');
      expect(await readFile(path, 'utf8')).toBe('former');
      await writeFile(unfinished, 'whole');
    });
    expect(await readFile(path, 'utf8')).toBe('whole');
    expect(await readdir(folder)).toEqual(['a.parquet']);
  });

  it.each([
    ['Node', async () => writeFile('/dev/full', 'rows')],
    [
      'DuckDB',
      async () =>
        withDuckDb(async (connection) => {
          await connection.run(`COPY (SELECT 1) TO ${quoteText('/dev/full/table')} (FORMAT parquet)`);
        }),
    ],
  ])('that %s cannot write is named, and nothing is left of it', async (_, write) => {
    const path = join(folder, 'a.parquet');
    const failed = writeTableFile(path, async (unfinished) => {
      await writeFile(unfinished, 'half');
      await write();
    });
    await expect(failed).rejects.toMatchObject({
      code: 'FEATURE_TABLE_WRITE',
      message: expect.stringContaining(path),
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it('fails with what its rows fail with', async () => {
    const failed = writeTableFile(join(folder, 'a.parquet'), () => Promise.reject(new RangeError('rows')));
    await expect(failed).rejects.toThrow(RangeError);
  });

  it('needs a folder, and a name that is none', async () => {
    await mkdir(join(folder, 'inner'));
    await expect(requirePlaceOf(join(folder, 'inner'))).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(requirePlaceOf(join(folder, 'absent/a.parquet'))).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(requirePlaceOf(join(folder, 'inner/a.parquet'))).resolves.toBeUndefined();
  });
});
