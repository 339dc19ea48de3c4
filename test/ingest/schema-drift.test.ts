/** Why: what a vehicle sends in another form than its software did before is found when it arrives, kept out where the standard says so, and taken in when a person does. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RecordingPage } from '@fleetloop/control-plane';
import type { FactBody } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { RecordingWriter } from '@fleetloop/schemas/recording';
import type { Receipt } from '@fleetloop/schemas/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';
import { manifestOf, signManifest, type TestRecording, TestVehicle } from './test-vehicle.ts';

const ROOT = join(import.meta.dirname, '../..');
const CLI = join(ROOT, 'control-plane/src/processes/cli.ts');
const START_NS = 1_790_000_000_000_000_000n;
const TOPIC = '/vss/Vehicle.Acceleration';
const ALL = ['Longitudinal', 'Lateral', 'Vertical'];
const TWO = ['Longitudinal', 'Lateral'];

type Quarantined = {
  readonly recording: string;
  readonly code: string;
  readonly message: string;
  readonly report: string;
  readonly released: { readonly actor: string; readonly reason: string } | null;
};
type Shown = {
  readonly check: FactBody<'recording.checked'>;
  readonly forms: readonly { readonly topic: string; readonly fields: readonly { readonly name: string }[] }[];
  readonly released: { readonly actor: string; readonly reason: string } | null;
};

let folder: string;
let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
const vehicles = new Map<string, TestVehicle>();
let events = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-forms-'));
  const path = join(folder, 'gate.json');
  const vehicle = JSON.parse(await readFile(join(ROOT, 'control-plane/standards/vehicle.json'), 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...vehicle, name: 'gate', quarantineOn: ['schema.changed-unversioned'] }));
  bench = await openIngestBench({}, { standard: path });
  controlPlane = await bench.start();
  for (const id of ['truck-1', 'truck-2', 'truck-3'])
    vehicles.set(id, await TestVehicle.enrol(controlPlane.api, bench.nats.url, id));
});
afterAll(async () => {
  for (const vehicle of vehicles.values()) await vehicle[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Five seconds of acceleration along the named axes. */
async function record(vehicleId: string, version: string, axes: readonly string[]): Promise<TestRecording> {
  const parts: Uint8Array[] = [];
  const eventId = `ev-${String((events += 1)).padStart(24, '0')}`;
  const write = async (bytes: Uint8Array): Promise<void> => void parts.push(Uint8Array.from(bytes));
  const startNs = START_NS + BigInt(events) * 60_000_000_000n;
  const writer = await RecordingWriter.open(
    { write },
    {
      vehicle: { id: vehicleId, hardwareRevision: 'B' },
      software: { name: 'agent', version },
      session: { name: `drive-${events}`, attributes: {} },
      clock: { source: 'gnss', uncertaintyNs: '1000' },
      event: { id: eventId, startNs: String(startNs), endNs: String(startNs + 1n), triggers: [], campaigns: [] },
      gaps: [],
      loss: {},
    },
  );
  const signals = axes.map((axis) => ({
    path: `Vehicle.Acceleration.${axis}`,
    field: axis.toLowerCase(),
    unit: 'm/s^2',
  }));
  const channel = { kind: 'signal', topic: TOPIC, signals } as const;
  for (let sequence = 0; sequence < 500; sequence += 1) {
    const logTimeNs = startNs + BigInt(sequence) * 10_000_000n;
    const values = Float64Array.from(axes, (_, axis) => Math.sin(sequence * (axis + 1) + events));
    await writer.write({ kind: 'signal', channel, sequence, logTimeNs, publishTimeNs: logTimeNs, values });
  }
  await writer.close();
  return { bytes: Buffer.concat(parts), eventId, vehicleId };
}

const vehicleOf = ({ vehicleId }: TestRecording): TestVehicle => vehicles.get(vehicleId) as TestVehicle;
const digestOf = ({ bytes }: TestRecording): string => digestOfBytes(bytes);
const upload = async (recording: TestRecording): Promise<Receipt['outcome']> =>
  (await vehicleOf(recording).upload(recording)).outcome;

/** Waits until the projection shows what the ledger holds. */
async function settled(): Promise<void> {
  type Health = { ledger: { entries: number }; projection: { appliedSequence: number } };
  const behind = async (): Promise<number> => {
    const { ledger, projection } = await controlPlane.api.get<Health>('/v1/health');
    return projection.appliedSequence - ledger.entries;
  };
  await expect.poll(behind, { timeout: 10_000, interval: 20 }).toBe(0);
}

async function fleetloop(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  const env = { ...process.env, FLEETLOOP_URL: controlPlane.url, FLEETLOOP_TOKEN: controlPlane.token };
  return promisify(execFile)(process.execPath, [CLI, ...args], { env }).then(
    ({ stdout }) => ({ code: 0, stdout }),
    ({ code, stdout }: { code: number; stdout: string }) => ({ code, stdout }),
  );
}

/** What the API says once it knows all of the ledger. */
async function ask<Answer>(path: string, query: Readonly<Record<string, string>> = {}): Promise<Answer> {
  await settled();
  return controlPlane.api.get<Answer>(path, { query });
}

const shown = async (recording: TestRecording): Promise<Shown> => ask(`/v1/recordings/${digestOf(recording)}`);
const rulesOf = async (recording: TestRecording): Promise<readonly string[]> =>
  (await shown(recording)).check.findings.map(({ rule }) => rule).filter((rule) => rule.startsWith('schema.'));
const quarantined = async (recording: TestRecording): Promise<Quarantined | undefined> =>
  (await ask<{ quarantined: Quarantined[] }>('/v1/quarantine')).quarantined.find(
    (each) => each.recording === digestOf(recording),
  );
const isCatalogued = async (recording: TestRecording): Promise<boolean> =>
  (await ask<RecordingPage>('/v1/recordings')).recordings.some((each) => each.recording === digestOf(recording));

describe('a recording whose form differs from what its software version sent', () => {
  let first: TestRecording;
  let refused: TestRecording;
  let imported: TestRecording;

  beforeAll(async () => {
    first = await record('truck-1', '1.0', ALL);
    refused = await record('truck-2', '1.0', TWO);
    imported = await record('truck-2', '1.0', TWO);
    await vehicleOf(first).uploadUntilVerified(first);
  });

  it('is refused by receipt, and kept out with a report that names both recordings', async () => {
    for (let attempt = 1; attempt <= 2; attempt += 1)
      expect(await upload(refused)).toMatchObject({ case: 'refused', value: { code: 'INGEST_STANDARD' } });
    const entry = await quarantined(refused);
    expect(entry).toMatchObject({ code: 'INGEST_STANDARD', released: null });
    expect(entry?.message).toContain('schema.changed-unversioned');
    const report = JSON.parse(
      Buffer.from(await controlPlane.api.getBytes(`/v1/blobs/${entry?.report}`)).toString('utf8'),
    ) as { verdict: string; findings: { rule: string; message: string; evidence: object }[] };
    expect(report.verdict).toBe('quarantined');
    const finding = report.findings.find(({ rule }) => rule === 'schema.changed-unversioned');
    expect(finding?.message).toContain('field removed Vehicle.Acceleration.Vertical');
    expect(finding?.message).toContain('without a change of the software version 1.0');
    expect(finding?.evidence).toMatchObject({ recording: digestOf(refused), formerRecording: digestOf(first) });
    expect(await isCatalogued(refused)).toBe(false);
    const about = (await bench.readLedger()).filter(({ body }) => JSON.stringify(body).includes(digestOf(refused)));
    expect(about.map(({ kind }) => kind)).toEqual(['recording.quarantined']);
  });

  it('is kept out of an import as well, which says so', async () => {
    const path = join(folder, 'imported.mcap');
    await writeFile(path, imported.bytes);
    const { code, stdout } = await fleetloop('import', path, '--label', 'GRAVEL', '--method', 'seen', '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([1, { accepted: 0, quarantined: 1 }]);
    expect(await quarantined(imported)).toMatchObject({ code: 'INGEST_STANDARD', released: null });
    expect(await isCatalogued(imported)).toBe(false);
  });

  it('is taken in once somebody releases it, with its findings and the reason', async () => {
    const reason = 'the vertical axis is not used';
    const uploaded = digestOf(refused);
    const { stdout } = await fleetloop('recording', 'release', uploaded, '--reason', reason, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ recording: uploaded, isNew: true });
    const path = `/v1/recordings/${digestOf(imported)}/release`;
    expect(await controlPlane.api.post(path, { reason })).toMatchObject({ isNew: true });
    expect(await controlPlane.api.post(path, { reason })).toMatchObject({ isNew: false });
    for (const [recording, source] of [
      [refused, 'uplink'],
      [imported, 'import'],
    ] as const) {
      const released = { actor: 'tester', reason };
      expect(await quarantined(recording)).toMatchObject({ released });
      expect(await shown(recording)).toMatchObject({ source, check: { verdict: 'quarantined' }, released });
    }
    const facts = (await bench.readLedger()).filter(({ kind }) => kind === 'recording.released');
    expect(facts.map(({ body }) => body)).toMatchObject([{ recording: uploaded }, { recording: digestOf(imported) }]);
  });

  it('has the label and the identity that its import told, so that a repeated import finds it', async () => {
    expect(await shown(imported)).toMatchObject({ label: 'GRAVEL' });
    const about = (await bench.readLedger()).filter(({ body }) => JSON.stringify(body).includes(digestOf(imported)));
    const [labelled, accepted] = ['label.assigned', 'recording.accepted'].map((kind) =>
      about.filter((fact) => fact.kind === kind),
    );
    expect(labelled).toMatchObject([{ body: { label: 'GRAVEL', method: 'seen', annotator: 'tester' } }]);
    expect(accepted).toMatchObject([{ body: { importKey: expect.stringMatching(/^sha256:/) } }]);
    const { code, stdout } = await fleetloop('import', join(folder, 'imported.mcap'), '--label', 'GRAVEL', '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { accepted: 0, quarantined: 0 }]);
  });

  it('is verified to the vehicle after it was released', async () => {
    const receipt = await vehicleOf(refused).sendManifest(signManifest(manifestOf(refused), vehicleOf(refused).key));
    expect(receipt.outcome.case).toBe('verified');
  });

  it('cannot be released where it is not in quarantine, or is no recording at all', async () => {
    const garbage = { ...refused, bytes: Buffer.alloc(1_000, 7), eventId: 'ev-garbage' };
    expect(await upload(garbage)).toMatchObject({ case: 'refused', value: { code: 'INGEST_MCAP_INVALID' } });
    await settled();
    for (const [recording, message] of [
      [garbage, 'INGEST_MCAP_INVALID'],
      [first, 'no recording'],
    ] as const)
      await expect(
        controlPlane.api.post(`/v1/recordings/${digestOf(recording)}/release`, { reason: 'x' }),
      ).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining(message) });
  });
});

describe('a software version that sends another form', () => {
  let updated: readonly TestRecording[];

  beforeAll(async () => {
    updated = [
      await record('truck-1', '1.1', TWO),
      await record('truck-1', '1.1', TWO),
      await record('truck-2', '1.1', TWO),
    ];
    for (const recording of updated) await vehicleOf(recording).uploadUntilVerified(recording);
  });

  it('is found once for each vehicle that was updated, between the two versions', async () => {
    const [first, second, third] = updated as [TestRecording, TestRecording, TestRecording];
    expect([await rulesOf(first), await rulesOf(second), await rulesOf(third)]).toEqual([
      ['schema.changed'],
      [],
      ['schema.changed'],
    ]);
    const { check, forms } = await shown(first);
    expect(check.findings.find(({ rule }) => rule === 'schema.changed')?.message).toMatch(
      /field removed Vehicle\.Acceleration\.Vertical .*between software 1\.0 and 1\.1, against recording sha256:[0-9a-f]{64} of truck-1/,
    );
    expect(forms).toMatchObject([{ topic: TOPIC, fields: [{}, {}] }]);
  });

  it('is the shared cause of these findings', async () => {
    type Findings = { causes: { cause: string; value: string; with: number; of: number }[] };
    const { causes } = await ask<Findings>('/v1/findings', { where: 'rule == "schema.changed"' });
    expect(causes).toContainEqual(expect.objectContaining({ cause: 'softwareVersion', value: '1.1', with: 2, of: 2 }));
  });

  it('is held against the same forms after the control plane was killed', async () => {
    await controlPlane.kill();
    controlPlane = await bench.start();
    const same = await record('truck-3', '1.1', TWO);
    // What was delivered to the dead process comes again later: a manifest may overtake its chunks, and is then answered as missing.
    await vehicleOf(same).uploadUntilVerified(same);
    expect(await rulesOf(same)).toEqual([]);
    const other = await record('truck-3', '1.1', ALL);
    await vehicleOf(other).uploadUntilVerified(other);
    expect(await rulesOf(other)).toEqual(['schema.extended-unversioned']);
    expect((await bench.readLedger()).filter(({ kind }) => kind === 'form.introduced')).toHaveLength(2);
  });

  it('is not there when the catalogue is asked as of an entry before it', async () => {
    const before = (await bench.readLedger()).findIndex(({ kind }) => kind === 'recording.quarantined');
    const digest = digestOf(updated[0] as TestRecording);
    await settled();
    expect((await fleetloop('recording', 'show', digest, '--as-of', String(before))).code).toBe(1);
    expect((await fleetloop('recording', 'show', digest)).stdout).toContain('"forms"');
    const early = await ask<{ findings: readonly unknown[] }>('/v1/findings', { asOf: String(before) });
    const late = await ask<{ findings: readonly unknown[] }>('/v1/findings');
    expect(early.findings.length).toBeLessThan(late.findings.length);
    const kept = await ask<{ quarantined: readonly unknown[] }>('/v1/quarantine', { asOf: String(before) });
    expect(kept.quarantined).toEqual([]);
  });
});
