// Why: the lists of drives, runs and events are what demo and tests are measured against, so they are held against the files.
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listedEvents } from './listed-events.ts';
import { RECORDINGS_FOLDER } from './paths.ts';
import { blackboxDrives, borealtcRuns, commaSegment, SHORT_ICE_RUN, TERRAINS } from './recordings.ts';

describe('recordings', () => {
  it('list exactly the committed drives', async () => {
    const names = await readdir(join(RECORDINGS_FOLDER, 'blackbox_drives'));
    const committed = names
      .filter((name) => name.startsWith('drive_'))
      .map((name) => join(RECORDINGS_FOLDER, 'blackbox_drives', name));
    const drives = blackboxDrives();
    expect(drives).toHaveLength(18);
    expect(drives.map((drive) => drive.sourcePath)).toEqual(committed.sort());
  });

  it('list exactly the committed runs with both of their files', async () => {
    const runs = borealtcRuns();
    const folders = TERRAINS.map((terrain) => join(RECORDINGS_FOLDER, 'borealtc', terrain));
    const committed = (
      await Promise.all(folders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))))
    ).flat();
    const expected = runs.flatMap((run) => [run.sourcePath, run.sourcePath.replace('imu_', 'pro_')]);
    expect(runs).toHaveLength(46);
    expect(expected.toSorted()).toEqual(committed.toSorted());
  });

  it('divide the runs as the source of the dataset does', async () => {
    const source = await readFile(join(RECORDINGS_FOLDER, 'borealtc', 'SOURCE.md'), 'utf8');
    const runs = borealtcRuns();
    for (const [split, pattern] of [
      ['pool', /Training pool \(30 runs\): ([^.]*)\./],
      ['test', /never trained on\): ([^.]*)\./],
    ] as const) {
      const named = (pattern.exec(source)?.[1] ?? '').split(';').flatMap((part) => {
        const [terrain = '', numbers = ''] = part.trim().split(' ');
        return numbers.split(',').map((number) => `${terrain}_${number}`);
      });
      expect(named.length).toBe(split === 'pool' ? 30 : 16);
      expect(
        runs
          .filter((run) => run.split === split)
          .map((run) => run.name)
          .toSorted(),
      ).toEqual(named.toSorted());
    }
  });

  it('name an ICE run of the pool as the short one', () => {
    expect(borealtcRuns().find((run) => run.name === SHORT_ICE_RUN)?.split).toBe('pool');
  });

  it('hold the comma segment and every mapping that they name', () => {
    const drives = [...blackboxDrives(), ...borealtcRuns(), commaSegment()];
    for (const drive of drives)
      expect([drive.session, existsSync(drive.mappingPath), existsSync(drive.sourcePath)]).toEqual([
        drive.session,
        true,
        true,
      ]);
  });

  it('come with 48 listed events, all inside the drives and over 0.35 g', () => {
    const events = listedEvents();
    const sessions = new Set(blackboxDrives().map((drive) => drive.session));
    expect(events).toHaveLength(48);
    for (const event of events) {
      expect(sessions.has(event.session)).toBe(true);
      expect(Math.abs(event.peakG)).toBeGreaterThanOrEqual(0.35);
      expect(event.endTimeNs).toBeGreaterThanOrEqual(event.startTimeNs);
    }
  });
});
