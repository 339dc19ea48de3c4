import { parseMappingText } from '@fleetloop/schemas/source';
import { describe, expect, it } from 'vitest';
import { type Folders, findRuns } from './find-runs.ts';
import { planImport } from './import-plan.ts';

const CSV = JSON.stringify({
  format: 'csv',
  session: { name: '{run}' },
  files: ['imu', 'pro'].map((name) => ({
    name: `${name}_{run}.csv`,
    time: { column: 't', kind: 'seconds' },
    channels: [
      {
        topic: name === 'imu' ? '/vss/Vehicle.Acceleration' : '/vss/Vehicle',
        signals: [
          {
            column: 'a',
            path: name === 'imu' ? 'Vehicle.Acceleration.Vertical' : 'Vehicle.Speed',
            unit: name === 'imu' ? 'm/s^2' : 'm/s',
          },
        ],
      },
    ],
  })),
});

/** A disk of paths; whatever ends in a slash is an empty folder. */
function diskOf(...paths: readonly string[]): Folders {
  const below = (folder: string): string[] => paths.filter((path) => path.startsWith(`${folder}/`));
  return {
    kindOf: async (path) => (paths.includes(path) ? 'file' : below(path).length > 0 ? 'folder' : undefined),
    list: async (folder) => {
      const names = new Set(below(folder).map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''));
      return [...names]
        .toSorted()
        .map((name) => ({ name, kind: paths.includes(`${folder}/${name}`) ? 'file' : 'folder' }));
    },
  };
}

async function find(folders: Folders, document: object): Promise<readonly string[]> {
  const plan = planImport({ kind: 'import-specification', vehicle: 'v1', ...document }, '/');
  const runs = await findRuns(plan, { folders, loadMapping: async (path) => parseMappingText(CSV, path) });
  return runs.map(({ source }) => source);
}

describe('the runs of a folder', () => {
  it('are the files that describe themselves, at any depth, in the order of their names', async () => {
    const folders = diskOf('/d/b.mcap', '/d/a/x.ulg', '/d/a/y.MCAP', '/d/notes.txt', '/d/c/z.candump', '/d/c/w.csv');
    expect(await find(folders, { runs: [{ source: '/d' }] })).toEqual(['/d/b.mcap', '/d/a/x.ulg', '/d/c/z.candump']);
  });

  it('are one for each session of a mapping, compressed or not', async () => {
    const folders = diskOf('/d/imu_1.csv', '/d/pro_1.csv', '/d/imu_2.csv.zst', '/d/pro_2.csv.zst', '/d/other.csv');
    expect(await find(folders, { mapping: '/m.json', runs: [{ source: '/d' }] })).toEqual([
      '/d/imu_1.csv',
      '/d/imu_2.csv.zst',
    ]);
  });

  it('are those that a pattern names, where one is given', async () => {
    const folders = diskOf('/d/a.mcap', '/d/b.mcap', '/d/b.bag');
    expect(await find(folders, { patterns: ['b.*'], runs: [{ source: '/d' }] })).toEqual(['/d/b.bag', '/d/b.mcap']);
  });

  it('must be there: a folder without any is a wrong call, a file that is missing is not', async () => {
    const folders = diskOf('/d/notes.txt');
    await expect(find(folders, { runs: [{ source: '/d' }] })).rejects.toMatchObject({ code: 'IMPORT_INVALID' });
    expect(await find(folders, { runs: [{ source: '/d/gone.mcap' }] })).toEqual(['/d/gone.mcap']);
  });

  it('end with an error in a folder that goes down for ever', async () => {
    const folders: Folders = {
      kindOf: async () => 'folder',
      list: async () => [{ name: 'again', kind: 'folder' }],
    };
    await expect(find(folders, { runs: [{ source: '/d' }] })).rejects.toMatchObject({ code: 'IMPORT_INVALID' });
  });
});
