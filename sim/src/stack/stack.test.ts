import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Http2Server } from 'node:http2';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTrustDomain } from '@fleetloop/control-plane';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cacheFolder } from './cache-folder.ts';
import { externalMlflow, externalNats, externalTemporal } from './external-servers.ts';
import { findFreePorts } from './free-port.ts';
import { isServingGrpc } from './grpc-health.ts';
import { takeInstallLock } from './install-lock.ts';
import { natsConfig } from './nats-server.ts';
import { reportWhile } from './progress.ts';
import { isGoodPython } from './python-environment.ts';
import { NATS_SERVER, releasePlatform, TEMPORAL } from './server-release.ts';

const never = new AbortController().signal;

describe('versions', () => {
  it.each([
    ['nats-server: v2.15.2', true],
    ['nats-server: v2.16.0-RC.1', true],
    ['nats-server: v2.14.9', false],
    ['nats-server: v3.0.0', false],
    ['', false],
  ])('of nats-server: %j is good: %s', (output, isGood) => {
    expect(NATS_SERVER.isGoodVersion(output)).toBe(isGood);
  });

  it.each([
    ['temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)', true],
    ['temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)', true],
    ['temporal version 1.3.0 (Server 1.27.1, UI 2.36.0)', false],
    ['temporal version 1.5.1', false],
  ])('of temporal: %j is good: %s', (output, isGood) => {
    expect(TEMPORAL.isGoodVersion(output)).toBe(isGood);
  });

  it.each([
    ['3.10', true],
    ['3.14', true],
    ['3.9', false],
    ['2.7', false],
    ['4.0', false],
    ['', false],
    ['3.10\nrubbish', false],
  ])('of Python: %j is good: %s', (version, isGood) => {
    expect(isGoodPython(version)).toBe(isGood);
  });

  it('have an archive with a digest for each platform that has one pinned', () => {
    for (const os of ['linux', 'darwin']) {
      for (const arch of ['x64', 'arm64']) {
        const platform = releasePlatform(os, arch);
        if (platform === undefined || TEMPORAL.checksum.kind !== 'pinned')
          throw new Error('expected a pinned platform');
        expect(TEMPORAL.checksum.sha256ByArchive[TEMPORAL.archiveName(platform)]).toMatch(/^[0-9a-f]{64}$/);
      }
    }
    expect(releasePlatform('win32', 'x64')).toBeUndefined();
    expect(releasePlatform('linux', 'riscv64')).toBeUndefined();
  });
});

describe('cacheFolder', () => {
  it('follows XDG_CACHE_HOME when it is absolute, and the home folder otherwise', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/var/cache' })).toBe('/var/cache/fleetloop');
    expect(cacheFolder({ XDG_CACHE_HOME: 'relative' })).toBe(join(homedir(), '.cache/fleetloop'));
    expect(cacheFolder({})).toBe(join(homedir(), '.cache/fleetloop'));
  });
});

describe('servers named in the environment', () => {
  it('are absent when nothing is named', () => {
    expect([externalNats({}), externalTemporal({}), externalMlflow({ FLEETLOOP_MLFLOW_URL: '' })]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('are used with a user of their own account, and never stopped', async () => {
    const { account } = await createTrustDomain();
    const env = { FLEETLOOP_NATS_URL: 'nats://example.org:4222', FLEETLOOP_NATS_ACCOUNT_SEED: account.seed };
    const nats = await externalNats(env)?.();
    expect(nats).toMatchObject({ url: 'nats://example.org:4222', accountSeed: account.seed });
    expect(nats?.pid()).toBeUndefined();
    await expect(nats?.kill()).rejects.toMatchObject({ code: 'STACK_UNAVAILABLE' });
  });

  it.each([{ FLEETLOOP_NATS_URL: 'nats://example.org' }, { FLEETLOOP_NATS_ACCOUNT_SEED: 'SA' }])(
    'need the address and the account seed of NATS together: %j',
    (env) => {
      expect(() => externalNats(env)).toThrow(/belong together/);
    },
  );
});

describe('natsConfig', () => {
  it('puts every append on disk and holds no key that signs', async () => {
    const trust = await createTrustDomain();
    const config = natsConfig(trust, { port: 4222, folder: '/data "x"' });
    expect(config).toContain('sync_interval: always');
    expect(config).toContain('max_payload: 1048576');
    expect(config).toContain(String.raw`store_dir: "/data \"x\"/jetstream"`);
    expect(config).not.toContain(trust.account.seed);
    expect(config).not.toContain(trust.operatorSeed);
  });
});

describe('findFreePorts', () => {
  it('names different ports', async () => {
    const ports = await findFreePorts(20);
    expect(new Set(ports).size).toBe(20);
  });
});

describe('install lock', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fleetloop-lock-'));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('is held by one at a time', async () => {
    const path = join(folder, 'deep/thing.lock');
    const order: string[] = [];
    const first = await takeInstallLock(path, { signal: never, onWait: () => order.push('first waits') });
    const second = takeInstallLock(path, { signal: never, onWait: () => order.push('second waits') });
    await vi.waitFor(() => expect(order).toEqual(['second waits']));
    first[Symbol.dispose]();
    using _held = await second;
    expect(order).toEqual(['second waits']);
  });

  it('is given up after the longest wait', async () => {
    const path = join(folder, 'thing.lock');
    using _held = await takeInstallLock(path, { signal: never, onWait: () => {} });
    const waited = takeInstallLock(path, { signal: never, onWait: () => {}, waitMsMax: 1 });
    await expect(waited).rejects.toMatchObject({ code: 'STACK_UNAVAILABLE' });
  });

  it('stops waiting when the signal aborts', async () => {
    const path = join(folder, 'thing.lock');
    using _held = await takeInstallLock(path, { signal: never, onWait: () => {} });
    const abort = new AbortController();
    await expect(takeInstallLock(path, { signal: abort.signal, onWait: () => abort.abort() })).rejects.toThrow(
      /abort/i,
    );
  });
});

describe('reportWhile', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('says nothing about what is quick', async () => {
    const lines: string[] = [];
    expect(await reportWhile('quick', Promise.resolve(1), (line) => lines.push(line))).toBe(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toEqual([]);
  });

  it('speaks after two seconds, then every 15, and at the end', async () => {
    const lines: string[] = [];
    const work = Promise.withResolvers<void>();
    const reported = reportWhile('slow', work.promise, (line) => lines.push(line));
    await vi.advanceTimersByTimeAsync(1_999);
    expect(lines).toEqual([]);
    await vi.advanceTimersByTimeAsync(15_002);
    work.resolve();
    await reported;
    expect(lines).toEqual(['slow', 'slow, 17 s so far', 'slow, done in 17 s']);
  });

  it('passes a failure on and falls silent', async () => {
    const lines: string[] = [];
    await expect(reportWhile('bad', Promise.reject(new Error('no')), (line) => lines.push(line))).rejects.toThrow('no');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toEqual([]);
  });
});

describe('isServingGrpc', () => {
  let server: Http2Server;

  async function serve(reply: Buffer): Promise<string> {
    server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/grpc' });
      response.end(reply);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
    return `127.0.0.1:${address.port}`;
  }

  afterEach(() => {
    server.close();
  });

  it.each([
    ['SERVING', [0, 0, 0, 0, 2, 0x08, 0x01], true],
    ['NOT_SERVING', [0, 0, 0, 0, 2, 0x08, 0x02], false],
    ['an empty message', [0, 0, 0, 0, 0], false],
    ['nothing', [], false],
  ])('reads %s', async (_name, bytes, isServing) => {
    const address = await serve(Buffer.from(bytes));
    expect(await isServingGrpc(address, 'a.Service', never)).toBe(isServing);
  });

  it('rejects when nobody listens', async () => {
    const address = await serve(Buffer.alloc(0));
    server.close();
    await once(server, 'close');
    await expect(isServingGrpc(address, 'a.Service', AbortSignal.timeout(2_000))).rejects.toThrow();
  });
});
