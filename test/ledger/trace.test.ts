import { join } from 'node:path';
import {
  DuckdbProjection,
  FACTS_WITHOUT_LINEAGE,
  LineageFollower,
  type NatsLedger,
  renderTree,
  type Trace,
  traceLineage,
} from '@fleetloop/control-plane';
import { FACTS } from '@fleetloop/schemas';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digest, fleetStory, recordingAccepted } from './fleet-story.ts';
import { type LedgerServer, startLedgerServer } from './ledger-server.ts';

let server: LedgerServer;
let ledger: NatsLedger;
let projection: DuckdbProjection;
let follower: LineageFollower;

/** One inference of the candidate on the vehicle that went wrong, as the telemetry would hold it. */
const INFERENCE = {
  vehicleId: 'v-1',
  hardwareRevision: 'B',
  bundle: digest('bundle 2'),
  variant: 'int8',
  directorCounter: 2,
  role: 'active',
  sequence: 7,
  session: 'drive-9',
  windowStartNs: 1n,
  windowEndNs: 2n,
  output: 'SNOW',
  confidence: 1,
  distance: 40,
  latencyUs: 90,
  fallback: false,
  features: [1],
  receivedAtMs: 1_790_000_000_000,
} as const;
const telemetry = {
  inferences: async ({ bundle, vehicles }: { readonly bundle?: string; readonly vehicles?: readonly string[] }) =>
    bundle === INFERENCE.bundle && vehicles?.includes(INFERENCE.vehicleId) === true ? [INFERENCE] : [],
  inference: async (vehicleId: string, sequence: number) =>
    vehicleId === INFERENCE.vehicleId && sequence === INFERENCE.sequence ? INFERENCE : undefined,
};

beforeAll(async () => {
  server = await startLedgerServer();
  ledger = await server.openLedger();
  await ledger.append([...fleetStory(), recordingAccepted('import', { vehicle: 'stray' })]);
  projection = await DuckdbProjection.open({ folder: join(server.root, 'projection'), ledger });
  await projection.waitFor(await ledger.size());
  follower = LineageFollower.start({ source: projection });
  await follower.catchUp();
});
afterAll(async () => {
  await follower[Symbol.asyncDispose]();
  await projection[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** The answer of the index, which must be that of the tables. */
async function trace(id: string, direction: 'down' | 'up' | 'both' = 'both', asOf?: number): Promise<Trace> {
  const request = { id, direction, ...(asOf === undefined ? {} : { asOf }) };
  const found = await traceLineage({ projection, telemetry, graphAsOf: follower.graphAsOf }, request);
  expect(found).toEqual(await traceLineage({ projection, telemetry }, request));
  return found;
}

const idsOf = (of: Trace): string[] => of.nodes.map((node) => node.id);
const recording = (name: string): string => `recording:${digest(name)}`;

describe('a trace', () => {
  it('leads from an anomaly down to the recordings, the vehicle, the gate and the approval of the model that failed', async () => {
    const found = idsOf(await trace('anomaly:an-1', 'down'));
    expect(found).toEqual(
      expect.arrayContaining([
        'rollout:ro-2',
        'action:ro-2/v-1',
        'vehicle:v-1',
        `bundle:${digest('bundle 2')}`,
        'model:terrain@2',
        'promotion:pr-2',
        'gate:ga-2',
        'run:run-2',
        `feature-table:${digest('table v1')}`,
        'feature-set:norms@1',
        'dataset:terrain/v1',
        recording('drive-1'),
        'event:ev-1',
        'campaign:hard-brake@1',
        `label:${digest('drive-1')}/ICE`,
        'inference:v-1:7',
      ]),
    );
    expect(found).not.toContain('model:terrain@3');
  });

  it('leads from an anomaly up to the rollback and the fix', async () => {
    const found = await trace('anomaly:an-1', 'up');
    expect(idsOf(found)).toEqual(
      expect.arrayContaining([
        'rollback:ro-2',
        'brief:br-1',
        'campaign:brief-br-1@1',
        'event:ev-fix',
        recording('fix-drive'),
        'dataset:terrain/v4',
        'run:run-3',
        'model:terrain@3',
        'gate:ga-3',
        'promotion:pr-3',
        `bundle:${digest('bundle 3')}`,
        'rollout:ro-3',
        'action:ro-3/v-1',
        'regression:re-1',
      ]),
    );
    expect(idsOf(found)).not.toContain('model:terrain@1');
    expect(found.truncated).toBe(false);
  });

  it('leads from a campaign and from a vehicle to what the vehicle lost, and from a vehicle to what it was asked', async () => {
    expect(idsOf(await trace('campaign:hard-brake@1', 'up'))).toContain('lost-recording:v-2/ev-lost');
    const found = await trace('vehicle:v-2', 'up');
    expect(idsOf(found)).toEqual(expect.arrayContaining(['lost-recording:v-2/ev-lost', 'pull:pl-1']));
    expect(found.nodes.find((node) => node.id === 'lost-recording:v-2/ev-lost')).toMatchObject({
      label: 'SPOOL_FULL',
      detail: { reason: 'the quota took it' },
    });
  });

  it('shows what was left out, and goes no further from there', async () => {
    const down = await trace('dataset:terrain/v1', 'down');
    expect(down.edges).toContainEqual(
      expect.objectContaining({ from: 'dataset:terrain/v1', relation: 'excludes', to: recording('short') }),
    );
    expect(idsOf(down)).not.toContain('vehicle:v-2');
    const up = idsOf(await trace(recording('short'), 'up'));
    expect(up).toContain('dataset:terrain/v1');
    expect(up).not.toContain('model:terrain@1');
  });

  it('reaches the same edges from a recording up as from a rollout down', async () => {
    const up = await trace(recording('drive-1'), 'up');
    expect(idsOf(up)).toEqual(expect.arrayContaining(['rollout:ro-1', 'rollout:ro-2', 'rollout:ro-3', 'anomaly:an-1']));
    const down = await trace('rollout:ro-1', 'down');
    expect(idsOf(down)).toContain(recording('drive-1'));
  });

  it('shows by which standard a recording was judged, with what result, and who took it in against it', async () => {
    const found = await trace(recording('drive-1'), 'down');
    const check = `check:${digest('findings of drive-1')}`;
    expect(found.edges).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ from: recording('drive-1'), relation: 'judged_by', to: check }),
        expect.objectContaining({ from: check, relation: 'judged_by', to: `standard:${digest('standard')}` }),
        expect.objectContaining({ from: recording('drive-1'), relation: 'allowed_by', to: 'release:1' }),
      ]),
    );
    expect(found.nodes.find((node) => node.id === check)).toMatchObject({
      label: 'accepted_with_findings',
      detail: { standard: 'vehicle@1', count: { warning: 1 }, rules: ['warning rate.gap'] },
    });
    // Whatever rests on the judgement of a standard is found from it.
    expect(idsOf(await trace(`standard:${digest('standard')}`, 'up'))).toEqual(
      expect.arrayContaining([check, recording('drive-1'), 'dataset:terrain/v1', 'model:terrain@2']),
    );
    const drift = await trace(`drift-report:${digest('drift report')}`, 'down');
    expect(idsOf(drift)).toEqual(
      expect.arrayContaining([`monitor:${digest('monitor')}`, `feature-table:${digest('current table')}`]),
    );
  });

  it('has a node for every kind of fact, but for those that are named with their reason', async () => {
    const kinds = async (where: string): Promise<unknown[]> => {
      const rows = await projection.query(`SELECT DISTINCT kind FROM facts WHERE ${where} ORDER BY kind`);
      return rows.map((row) => row['kind']);
    };
    expect(await kinds('true')).toEqual(Object.keys(FACTS).toSorted());
    const silent = await kinds('sequence NOT IN (SELECT sequence FROM nodes)');
    expect(silent).toEqual(Object.keys(FACTS_WITHOUT_LINEAGE).toSorted());
    expect(await kinds('sequence IN (SELECT sequence FROM edges)')).not.toEqual(expect.arrayContaining(silent));
  });

  it('starts from an inference, which only the telemetry knows', async () => {
    const both = await trace('inference:v-1:7');
    expect(both.nodes[0]).toMatchObject({
      id: 'inference:v-1:7',
      kind: 'inference',
      detail: { output: 'SNOW', distance: 40 },
    });
    expect(idsOf(both)).toEqual(
      expect.arrayContaining([
        'vehicle:v-1',
        'model:terrain@2',
        'dataset:terrain/v1',
        'anomaly:an-1',
        'brief:br-1',
        'rollback:ro-2',
      ]),
    );
    const down = idsOf(await trace('inference:v-1:7', 'down'));
    expect(down).not.toContain('anomaly:an-1');
    await expect(trace('inference:v-1:8')).rejects.toMatchObject({ code: 'TRACE_UNKNOWN' });
  });

  it('is as it was on the day that is asked about', async () => {
    const [opened] = await projection.facts('anomaly.opened', { key: 'an-1' });
    const then = await trace('anomaly:an-1', 'both', opened?.sequence ?? 0);
    expect(idsOf(then)).toContain('rollout:ro-2');
    expect(idsOf(then).some((id) => id.startsWith('rollback:') || id.startsWith('brief:'))).toBe(false);
    expect(then.nodes.find((node) => node.id === 'rollout:ro-2')?.label).toBe('started');
    await expect(trace('anomaly:an-1', 'both', (opened?.sequence ?? 0) - 1)).rejects.toMatchObject({
      code: 'TRACE_UNKNOWN',
    });
  });

  it('has only edges between nodes that it shows, each node once', async () => {
    for (const id of ['vehicle:v-1', 'model:terrain@2', 'rollout:ro-2', recording('drive-1')]) {
      const found = await trace(id);
      const ids = idsOf(found);
      expect(new Set(ids).size).toBe(ids.length);
      for (const edge of found.edges) expect(ids).toEqual(expect.arrayContaining([edge.from, edge.to]));
    }
  });

  it.each<[string, () => string, () => string]>([
    ['a bare id', () => 'an-1', () => 'anomaly:an-1'],
    ['a model by name and version', () => 'terrain@2', () => 'model:terrain@2'],
    ['a vehicle that was never enrolled', () => 'vehicle:stray', () => 'vehicle:stray'],
    ['a dataset version', () => 'terrain/v4', () => 'dataset:terrain/v4'],
    ['a digest', () => digest('drive-2'), () => recording('drive-2')],
    ['the hex digits of a digest', () => digest('drive-2').slice(7), () => recording('drive-2')],
    ['the beginning of a digest', () => digest('drive-2').slice(7, 17), () => recording('drive-2')],
    ['the digest of a dataset', () => digest('dataset v4'), () => 'dataset:terrain/v4'],
    ['the beginning of a node id', () => 'regression:', () => 'regression:re-1'],
  ])('is found by %s', async (_, text, node) => {
    expect((await trace(text(), 'down')).from).toBe(node());
  });

  it('names the candidates of an id that fits several nodes', async () => {
    await expect(trace('rollout:ro-')).rejects.toMatchObject({
      code: 'TRACE_AMBIGUOUS',
      message: expect.stringContaining('rollout:ro-2') as string,
    });
    await expect(trace('nobody')).rejects.toMatchObject({ code: 'TRACE_UNKNOWN' });
    await expect(trace("'; DROP TABLE nodes; --")).rejects.toMatchObject({ code: 'TRACE_UNKNOWN' });
    await expect(trace('')).rejects.toMatchObject({ code: 'TRACE_UNKNOWN' });
  });

  it('is the same after the projection was rebuilt into another file', async () => {
    const before = await trace('vehicle:v-1');
    const generation = projection.generation();
    expect((await projection.rebuild()).same).toBe(true);
    expect(projection.generation()).not.toBe(generation);
    expect(await trace('vehicle:v-1')).toEqual(before);
    await follower.catchUp();
    const [rows] = await projection.query('SELECT count(*)::INTEGER AS edges FROM edges');
    expect(follower.size()).toMatchObject({ edges: rows?.['edges'], sequence: projection.appliedSequence() });
    expect(await trace('vehicle:v-1')).toEqual(before);
  });

  it('is drawn as a tree that names each node once', async () => {
    const text = renderTree(await trace('anomaly:an-1'));
    expect(text).toMatch(/^anomaly:an-1 {2}revision B: x_mean/);
    expect(text).toContain('├─ seen_in rollout:ro-2  rolled_back');
    expect(text).toMatch(/◄ answers rollback:ro-2 {2}1 vehicles/);
    expect(text).toContain('(see above)');
    expect(text.split('\n').filter((line) => line.includes(' run:run-2') && !line.includes('see above'))).toHaveLength(
      1,
    );
  });
});
