/** Why: who holds either key, the former or the new one, can verify the whole ledger after `fleetloop ledger rotate-key`. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LedgerVerdict } from '@fleetloop/control-plane';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { type CliRun, runCli } from '../ingest/run-cli.ts';
import { makeRecording } from '../ingest/test-vehicle.ts';

type Verdict = LedgerVerdict & { readonly verifierKey: string };
type Rotated = { readonly sequence: number; readonly formerKey: string; readonly key: string };

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let rotated: Rotated;

beforeAll(async () => {
  bench = await openIngestBench();
  controlPlane = await bench.start();
  await importOne('before');
});
afterAll(async () => bench[Symbol.asyncDispose]());

const ledger = async (...command: readonly string[]): Promise<CliRun> => runCli(controlPlane, ['ledger', ...command]);

async function importOne(event: string): Promise<void> {
  const { bytes } = await makeRecording('husky-1', event, 20);
  await controlPlane.api.postBytes('/v1/imports', bytes);
}

async function verify(...options: readonly string[]): Promise<Verdict & { readonly code: number | null }> {
  const { code, stdout } = await ledger('verify', '--json', ...options);
  return { code, ...(JSON.parse(stdout) as Verdict) };
}

describe('fleetloop ledger rotate-key', () => {
  it('is a wrong call without a reason, and changes nothing', async () => {
    const { code, stderr } = await ledger('rotate-key');
    expect([code, stderr]).toEqual([2, expect.stringContaining('--reason')]);
    expect(await verify()).toMatchObject({ code: 0, ok: true, keys: [{ fromSize: 0 }] });
  });

  it('names both keys and the entry that announces the new one', async () => {
    const { verifierKey: before } = await verify();
    const { code, stdout } = await ledger('rotate-key', '--json', '--reason', 'the laptop was stolen');
    rotated = JSON.parse(stdout) as Rotated;
    expect(code).toBe(0);
    expect(rotated.formerKey).toBe(before);
    expect(rotated.key).not.toBe(before);
    const shown = await ledger('show', String(rotated.sequence), '--json');
    expect(JSON.parse(shown.stdout)).toMatchObject({
      kind: 'checkpoint.key_rotated',
      actor: 'tester',
      reason: 'the laptop was stolen',
    });
  });

  it('leaves a ledger that verifies under either key, and under no other one', async () => {
    await importOne('after');
    for (const key of [rotated.formerKey, rotated.key])
      expect(await verify('--key', key)).toMatchObject({ code: 0, ok: true, keys: [{}, {}] });
    const stranger = rotated.key.replace(
      /^(.*\+)(.)(.*)$/,
      (_, name: string, sign: string, rest: string) => `${name}${sign === 'A' ? 'B' : 'A'}${rest}`,
    );
    expect((await ledger('verify', '--key', stranger)).code).not.toBe(0);
  });

  it('signs with the new key in the next life of the control plane, too', async () => {
    await controlPlane.stop();
    controlPlane = await bench.start();
    expect(await verify()).toMatchObject({ ok: true, verifierKey: rotated.key });
  });

  it('lets an auditor who kept a checkpoint from before see that the ledger has grown out of it', async () => {
    const kept = join(bench.root, 'kept.checkpoint');
    await verify('--keep', kept);
    await ledger('rotate-key', '--reason', 'the year is over');
    await importOne('later');
    expect((await ledger('extends', kept)).code).toBe(0);
    expect(await verify('--former', kept)).toMatchObject({ code: 0, ok: true, keys: [{}, {}, {}] });
    await writeFile(kept, (await readFile(kept, 'utf8')).replace(/^\d+$/m, '1'));
    expect((await ledger('extends', kept)).code).not.toBe(0);
  });
});
