import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findServer, type FindServerOptions } from './find-server.ts';
import { downloadRelease, parseChecksumList } from './release-download.ts';
import type { ReleaseChecksum, ServerRelease } from './server-release.ts';

const ARCHIVE = 'thing.tar.gz';
const GOOD = '#!/bin/sh\necho "thing v2.15.9"\n';
const OLD = '#!/bin/sh\necho "thing v2.9.0"\n';
const BROKEN = '#!/bin/sh\nexit 3\n';

let work: string;
let files: Map<string, Buffer | string>;
let server: Server;
let progress: string[];

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'fleetloop-find-'));
  files = new Map();
  progress = [];
  server = createServer((request, response) => {
    const body = files.get((request.url ?? '').slice(1));
    response.writeHead(body === undefined ? 404 : 200).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  server.close();
  await rm(work, { recursive: true, force: true });
});

describe('findServer', () => {
  it('takes a binary of a good version from PATH', async () => {
    await putBinary('first', GOOD);
    expect(await findServer(release(), options(['first']))).toBe(join(work, 'first', 'thing'));
  });

  it('passes over an old and a broken binary, and says so', async () => {
    await putBinary('old', OLD);
    await putBinary('broken', BROKEN);
    await putBinary('good', GOOD);
    expect(await findServer(release(), options(['old', 'broken', 'good']))).toBe(join(work, 'good', 'thing'));
    expect(progress.join('\n')).toContain('v2.9.0');
    expect(progress.join('\n')).toContain('exit 3');
  });

  it('takes the pinned version from the cache before it downloads', async () => {
    await putBinary('cache/bin', GOOD, 'thing-2.15.2');
    expect(await findServer(release(), options([]))).toBe(join(work, 'cache/bin/thing-2.15.2'));
  });

  it('downloads once when two ask at the same time, and leaves nothing but the binary', async () => {
    const sha256 = await offerArchive(GOOD);
    const pinned = release({ kind: 'pinned', sha256ByArchive: { [ARCHIVE]: sha256 } });
    const [one, two] = await Promise.all([findServer(pinned, options([])), findServer(pinned, options([]))]);
    expect(one).toBe(two);
    expect(await readFile(one, 'utf8')).toBe(GOOD);
    expect((await readdir(join(work, 'cache'))).toSorted()).toEqual(['bin', 'locks']);
    expect(progress.filter((line) => line.includes('waiting for another process'))).toHaveLength(1);
  });

  it('names what it tried and the remedy when nothing works', async () => {
    const found = findServer({ ...release(), goPackage: 'not a package' }, options([]));
    await expect(found).rejects.toMatchObject({
      code: 'STACK_UNAVAILABLE',
      message: expect.stringMatching(/HTTP 404.*go install.*Remedy: install thing/s),
    });
    expect(await readdir(join(work, 'cache/bin'))).toEqual([]);
  });
});

describe('downloadRelease', () => {
  it('accepts an archive whose digest the release lists', async () => {
    files.set('SUMS', `${await offerArchive(GOOD)}  ${ARCHIVE}\n`);
    const binary = await downloadRelease(release({ kind: 'listed', fileName: 'SUMS' }), join(work, 'out'), never());
    expect(await readFile(binary, 'utf8')).toBe(GOOD);
  });

  it.each([
    ['has another digest than the one pinned', { kind: 'pinned', sha256ByArchive: { [ARCHIVE]: '0'.repeat(64) } }],
    ['has no pinned digest', { kind: 'pinned', sha256ByArchive: {} }],
    ['is not in the list', { kind: 'listed', fileName: 'EMPTY' }],
  ] satisfies [string, ReleaseChecksum][])('refuses an archive that %s', async (_name, checksum) => {
    await offerArchive(GOOD);
    files.set('EMPTY', '');
    const downloaded = downloadRelease(release(checksum), join(work, 'out'), never());
    await expect(downloaded).rejects.toMatchObject({ code: 'STACK_UNAVAILABLE' });
    await expect(readdir(join(work, 'out'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('refuses an archive without the binary', async () => {
    const sha256 = await offerArchive(GOOD, 'another-name');
    const pinned = release({ kind: 'pinned', sha256ByArchive: { [ARCHIVE]: sha256 } });
    await expect(downloadRelease(pinned, join(work, 'out'), never())).rejects.toThrow('no file named thing');
  });
});

describe('parseChecksumList', () => {
  it('reads text and binary marks and passes over everything else', () => {
    const digest = 'A'.repeat(64);
    const list = parseChecksumList(`# comment\r\n${digest}  a.tar.gz\n${digest} *b.tar.gz\nabc  c.tar.gz\n\n`);
    expect([...list]).toEqual([
      ['a.tar.gz', 'a'.repeat(64)],
      ['b.tar.gz', 'a'.repeat(64)],
    ]);
  });
});

function release(checksum: ReleaseChecksum = { kind: 'listed', fileName: 'SUMS' }): ServerRelease {
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    name: 'thing',
    version: '2.15.2',
    isGoodVersion: (output) => output.includes('v2.15.'),
    downloadUrl: `http://127.0.0.1:${port}`,
    archiveName: () => ARCHIVE,
    checksum,
    goPackage: 'example.invalid/thing@v2.15.2',
    remedy: 'install thing',
  };
}

function options(folders: readonly string[]): FindServerOptions {
  const path = folders.map((folder) => join(work, folder)).join(delimiter);
  return { cache: join(work, 'cache'), path, onProgress: (line) => progress.push(line), signal: never() };
}

function never(): AbortSignal {
  return new AbortController().signal;
}

async function putBinary(folder: string, text: string, name = 'thing'): Promise<void> {
  await mkdir(join(work, folder), { recursive: true });
  await writeFile(join(work, folder, name), text);
  await chmod(join(work, folder, name), 0o755);
}

/** Offers an archive with one file in a folder, as releases have it. @returns its sha256 */
async function offerArchive(text: string, name = 'thing'): Promise<string> {
  await putBinary('pack/thing-v2.15.2', text, name);
  const packed = spawnSync('tar', ['-czf', join(work, ARCHIVE), '-C', join(work, 'pack'), 'thing-v2.15.2']);
  expect(packed.status).toBe(0);
  const archive = await readFile(join(work, ARCHIVE));
  files.set(ARCHIVE, archive);
  return createHash('sha256').update(archive).digest('hex');
}
