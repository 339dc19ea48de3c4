import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Campaign, SignalChannel, SignalMessage } from '@fleetloop/schemas';
import { FleetError, parseCampaign } from '@fleetloop/schemas';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SpoolFolder } from '../adapters/spool-folder.ts';
import { systemClock } from '../adapters/system-clock.ts';
import type { SpoolFiles } from '../ports.ts';
import { EventRecorder, type RecordedEvent } from '../record/event-recorder.ts';
import { Spool } from './spool.ts';

const CHANNEL: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
};
const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const SECOND = 1_000_000_000n;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-spool-'));
});
afterEach(async () => rm(root, { recursive: true, force: true }));

const open = async (quotaBytes = 1_000_000, files: SpoolFiles = new SpoolFolder(root)): Promise<Spool> =>
  Spool.open({ files, clock: systemClock, logger: QUIET, quotaBytes });
const inQueue = async (): Promise<string[]> => (await readdir(join(root, 'queue'))).toSorted();

function campaign(priority: Campaign['priority']): Campaign {
  const inputs = [{ kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' }];
  return parseCampaign({
    kind: 'campaign',
    id: priority,
    version: 1,
    description: '',
    owner: 't',
    priority,
    inputs,
    condition: 'speed > 1.0',
    preWindowMs: 1_000,
    postWindowMs: 1_000,
  });
}

/** A real event of a session whose name makes its id. */
function event(session: string, priority: Campaign['priority'] = 'normal'): RecordedEvent {
  const recorder = new EventRecorder({
    vehicle: { id: 'v1', hardwareRevision: 'A' },
    software: { name: 's', version: '1' },
    ringBytesMax: 1_000_000,
  });
  recorder.setCampaigns([campaign(priority)]);
  recorder.startSession({ session, attributes: {}, channels: [CHANNEL] });
  for (let second = 1n; second < 4n; second += 1n) {
    const message: SignalMessage = {
      kind: 'signal',
      channel: CHANNEL,
      sequence: Number(second),
      logTimeNs: second * SECOND,
      publishTimeNs: second * SECOND,
      values: Float64Array.of(Number(second)),
    };
    recorder.push(message);
    if (second === 2n) recorder.trigger(campaign(priority), 2n * SECOND);
  }
  const [first] = recorder.endSession();
  if (first === undefined) throw new Error('no event');
  return first;
}

describe('the spool', () => {
  it('knows after a restart what it held before, in the same order', async () => {
    const spool = await open();
    for (const session of ['a', 'b', 'c']) expect(await spool.add(event(session))).toBe('spooled');
    const again = await open();
    expect(again.entries().map((entry) => ({ ...entry, isResumed: false }))).toEqual(spool.entries());
    expect(again.entries().every((entry) => entry.isResumed)).toBe(true);
  });

  it('takes an event only once, even after its copy is gone', async () => {
    const spool = await open();
    const one = event('a');
    await spool.add(one);
    expect(await spool.add(one)).toBe('known');
    await spool.verified(one.id, 5n);
    expect(await inQueue()).toEqual([]);
    expect(await spool.add(one)).toBe('known');
    expect(await (await open()).add(one)).toBe('known');
  });

  it('keeps what was refused aside with the reason, and does not offer it again', async () => {
    const spool = await open();
    const one = event('a');
    await spool.add(one);
    await spool.refused(one.id, 'INGEST_LIMIT', 'it is too large');
    expect(await inQueue()).toEqual([]);
    expect((await readdir(join(root, 'refused'))).toSorted()).toEqual([
      `${one.id}.json`,
      `${one.id}.mcap`,
      `${one.id}.reason.txt`,
    ]);
    expect(await readFile(join(root, 'refused', `${one.id}.reason.txt`), 'utf8')).toBe(
      'INGEST_LIMIT: it is too large\n',
    );
    const again = await open();
    expect(again.entries()).toEqual([]);
    expect(again.counts()).toMatchObject({ refused: 1 });
    expect(await again.add(one)).toBe('known');
  });

  it('evicts the less important within its quota and leaves a tombstone for each', async () => {
    const size =
      (
        await (async () => {
          const spool = await open();
          await spool.add(event('probe'));
          const [entry] = spool.entries();
          await spool.verified(entry?.eventId ?? '', 1n);
          return entry;
        })()
      )?.sizeBytes ?? 0;
    const spool = await open(Math.floor(size * 2.5));
    const [bulk, old, safety] = [event('bulk', 'bulk'), event('old'), event('safety', 'safety')];
    for (const each of [bulk, old, safety]) expect(await spool.add(each)).toBe('spooled');
    expect(spool.entries().map((entry) => entry.eventId)).toEqual([old.id, safety.id]);
    expect(await spool.add(event('late', 'bulk'))).toBe('evicted');
    expect(spool.counts()).toMatchObject({ spooled: 2, evicted: 2 });
    const outcomes = await readFile(join(root, 'outcomes.jsonl'), 'utf8');
    expect(outcomes).toContain(`"id":"${bulk.id}","digest":"sha256:`);
    expect(outcomes).toContain('the quota of the spool is reached');
    expect((await inQueue()).length).toBe(4);
  });

  it('discards what was half written, adopts a recording without its sidecar, and sets the unknown aside', async () => {
    const spool = await open();
    const [one, two] = [event('a'), event('b')];
    await spool.add(one);
    await spool.add(two);
    await rm(join(root, 'queue', `${two.id}.json`));
    await writeFile(join(root, 'queue', 'ev-x.mcap.active'), 'half');
    await writeFile(join(root, 'queue', 'notes.txt'), 'whose?');
    await writeFile(join(root, 'queue', 'ev-broken.mcap'), 'no recording');
    const again = await open();
    expect(again.entries().map((entry) => entry.eventId)).toEqual([one.id, two.id]);
    expect(again.entries()[1]).toMatchObject({
      digest: spool.entries()[1]?.digest,
      campaignIds: ['normal'],
      session: 'b',
    });
    expect(await inQueue()).toEqual(
      [`${one.id}.json`, `${one.id}.mcap`, `${two.id}.json`, `${two.id}.mcap`].toSorted(),
    );
    expect((await readdir(join(root, 'quarantine'))).toSorted()).toEqual([
      'ev-broken.mcap',
      'ev-broken.mcap.reason.txt',
      'notes.txt',
      'notes.txt.reason.txt',
    ]);
  });

  it('adopts nothing that was cut short', async () => {
    const spool = await open();
    const one = event('a');
    await spool.add(one);
    const path = join(root, 'queue', `${one.id}.mcap`);
    await writeFile(path, (await readFile(path)).subarray(0, -20));
    expect((await open()).entries()).toEqual([]);
    expect(await readFile(join(root, 'quarantine', `${one.id}.mcap.reason.txt`), 'utf8')).toContain('truncated');
  });

  it('finishes what a crash left between an outcome and its files', async () => {
    const spool = await open();
    const [one, two] = [event('a'), event('b')];
    await spool.add(one);
    await spool.add(two);
    const line = (id: string, outcome: string): string =>
      `${JSON.stringify({ id, outcome, digest: null, sizeBytes: 1, priority: 'normal', atMs: 1 })}\n`;
    await writeFile(join(root, 'outcomes.jsonl'), `${line(one.id, 'verified')}${line(two.id, 'refused')}{"id":"half`);
    expect((await open()).entries()).toEqual([]);
    expect(await inQueue()).toEqual([]);
    expect(await readdir(join(root, 'refused'))).toEqual([`${two.id}.mcap`]);
  });

  it('says which line of its outcomes is damaged instead of uploading again', async () => {
    await writeFile(join(root, 'outcomes.jsonl'), 'garbage\n{"id":"x"}\n');
    await expect(open()).rejects.toMatchObject({
      code: 'SPOOL_CORRUPT',
      message: expect.stringContaining('line 1') as string,
    });
  });

  it('makes room when the disk takes no more, and says so when there is none to make', async () => {
    const folder = new SpoolFolder(root);
    let refusals = 0;
    const files: SpoolFiles = Object.assign(Object.create(folder) as SpoolFiles, {
      writeRecording: async (...args: Parameters<SpoolFiles['writeRecording']>) => {
        if (refusals === 0) return folder.writeRecording(...args);
        refusals -= 1;
        throw new FleetError('RECORD_WRITE', 'no space left');
      },
      writeText: folder.writeText.bind(folder),
      appendLine: folder.appendLine.bind(folder),
      readText: folder.readText.bind(folder),
      readBytes: folder.readBytes.bind(folder),
      list: folder.list.bind(folder),
      move: folder.move.bind(folder),
      remove: folder.remove.bind(folder),
    });
    const spool = await open(1_000_000, files);
    await spool.add(event('a'));
    refusals = 1;
    expect(await spool.add(event('b'))).toBe('spooled');
    expect(spool.counts()).toMatchObject({ spooled: 1, evicted: 1 });
    refusals = 10;
    await expect(spool.add(event('c', 'bulk'))).rejects.toMatchObject({ code: 'RECORD_WRITE' });
    refusals = 0;
    expect(await spool.add(event('c', 'bulk'))).toBe('spooled');
  });
});
