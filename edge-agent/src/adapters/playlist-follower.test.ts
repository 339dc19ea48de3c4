import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SourceMessage } from '@fleetloop/schemas';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Drive } from '../ports.ts';
import { PlaylistFollower } from './playlist-follower.ts';
import { DurableFiles } from '../spool/durable-files.ts';
import { NodeDisk } from './node-disk.ts';
import { systemClock } from './system-clock.ts';

let root: string;
let path: string;
const running = new AbortController().signal;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-playlist-'));
  path = join(root, 'playlist.jsonl');
  const mapping = {
    format: 'csv',
    session: { name: 'test/{name}', attributes: { place: 'here' } },
    files: [
      {
        name: 'drive_{name}.csv',
        time: { column: 't', kind: 'seconds', epoch: '2020-01-01T00:00:00Z' },
        channels: [{ topic: '/vss/Vehicle', signals: [{ column: 'v', path: 'Vehicle.Speed', unit: 'km/h' }] }],
      },
    ],
  };
  await writeFile(join(root, 'mapping.json'), JSON.stringify(mapping));
  for (const name of ['a', 'b', 'c']) await writeFile(join(root, `drive_${name}.csv`), 't,v\n1,10\n2,20\n');
});
afterEach(async () => rm(root, { recursive: true, force: true }));

const open = async (): Promise<PlaylistFollower> =>
  PlaylistFollower.open({ path, files: new DurableFiles(new NodeDisk(), root), clock: systemClock });
const line = (name: string, more: object = {}): string =>
  `${JSON.stringify({ mapping: 'mapping.json', files: [`drive_${name}.csv`], speed: 0, ...more })}\n`;

async function messagesOf(drive: Drive | undefined): Promise<SourceMessage[]> {
  const messages: SourceMessage[] = [];
  for await (const batch of drive?.batches() ?? []) messages.push(...batch);
  return messages;
}

describe('the playlist follower', () => {
  it('gives one drive after the other and waits for what is appended', async () => {
    const playlist = await open();
    const waiting = playlist.next(running);
    const text = line('a') + line('b');
    await appendFile(path, text.slice(0, 30));
    await appendFile(path, text.slice(30));
    expect((await waiting)?.session).toBe('test/a');
    await playlist.finished();
    expect((await playlist.next(running))?.session).toBe('test/b');
    expect(playlist.finishedCount).toBe(1);
  });

  it('comes back to the drive that was not finished', async () => {
    await appendFile(path, line('a') + line('b') + line('c'));
    const playlist = await open();
    await playlist.next(running);
    await playlist.finished();
    await playlist.next(running);
    const again = await open();
    expect((await again.next(running))?.session).toBe('test/b');
    await again.finished();
    expect((await again.next(running))?.session).toBe('test/c');
    expect(again.finishedCount).toBe(2);
  });

  it('counts a line of several sessions when the last of them is finished', async () => {
    await appendFile(path, line('a', { files: ['drive_a.csv', 'drive_b.csv'] }));
    const playlist = await open();
    expect((await playlist.next(running))?.session).toBe('test/a');
    await playlist.finished();
    expect(playlist.finishedCount).toBe(0);
    expect((await playlist.next(running))?.session).toBe('test/b');
    await playlist.finished();
    expect(playlist.finishedCount).toBe(1);
  });

  it('ends at the end', async () => {
    await appendFile(path, '{"end":true}\n');
    const playlist = await open();
    expect(await playlist.next(running)).toBeUndefined();
    expect(playlist.isAtEnd).toBe(true);
  });

  it('lets a line name the session, the start and attributes', async () => {
    await appendFile(
      path,
      line('a', { session: 'mine', startAt: '2024-05-06T07:08:09Z', attributes: { weather: 'rain' } }),
    );
    const drive = await (await open()).next(running);
    expect(drive).toMatchObject({ session: 'mine', attributes: { place: 'here', weather: 'rain' } });
    const [first] = await messagesOf(drive);
    expect(first?.logTimeNs).toBe(BigInt(Date.parse('2024-05-06T07:08:10Z')) * 1_000_000n);
  });

  it.each([
    ['CONFIG_INVALID', '{"mapping":\n'],
    ['CONFIG_INVALID', '{"mapping":"mapping.json","files":[],"speed":0}\n'],
    ['CONFIG_INVALID', line('a', { surprise: 1 })],
    ['SOURCE_NOT_FOUND', line('z')],
    ['SOURCE_NOT_FOUND', line('a', { mapping: 'nowhere.json' })],
  ])('throws %s for a line that cannot be driven and goes on behind it', async (code, bad) => {
    await appendFile(path, bad + line('b'));
    const playlist = await open();
    await expect(playlist.next(running)).rejects.toMatchObject({ code });
    await playlist.finished();
    expect((await playlist.next(running))?.session).toBe('test/b');
    expect(playlist.finishedCount).toBe(1);
  });

  it('stops waiting when it is told to', async () => {
    const stop = new AbortController();
    const waiting = (await open()).next(stop.signal);
    stop.abort();
    expect(await waiting).toBeUndefined();
  });
});
