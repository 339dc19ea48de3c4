/** Why: a question about the past that is answered with the present is worse than none, so each route that reads the ledger is asked both. */
import { NatsLedger } from '@fleetloop/control-plane';
import { connect, credsAuthenticator } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { fleetStory } from './fleet-story.ts';

const ROUTES = [
  ['vehicles', 'vehicles'],
  ['campaigns', 'campaigns'],
  ['recordings', 'recordings'],
  ['lost-recordings', 'lost'],
  ['quarantine', 'quarantined'],
  ['findings', 'findings'],
  ['feature-sets', 'featureSets'],
  ['datasets', 'datasets'],
  ['models', 'models'],
  ['gates', 'gates'],
  ['promotions', 'promotions'],
  ['rollouts', 'rollouts'],
  ['anomalies', 'anomalies'],
  ['briefs', 'briefs'],
  ['drift', 'evaluations'],
  ['feature-computations', 'results'],
  ['skew-evaluations', 'results'],
] as const;
/** Facts come one each second: a time names an entry, too. */
const BEGIN_MS = Date.parse('2026-11-20T10:00:00Z');

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let entries = 0;

beforeAll(async () => {
  bench = await openIngestBench();
  const { nats } = bench;
  const authenticator = credsAuthenticator(new TextEncoder().encode(nats.serviceUser.creds));
  const connection = await connect({ servers: nats.url, authenticator });
  try {
    const ledger = await NatsLedger.open(connection, { now: () => new Date(BEGIN_MS + entries * 1_000) });
    // A rotation of the story is signed by nobody, and a control plane does not stand for such a ledger.
    for (const fact of fleetStory().filter(({ kind }) => kind !== 'checkpoint.key_rotated')) {
      await ledger.append([fact]);
      entries += 1;
    }
  } finally {
    await connection.close();
  }
  controlPlane = await bench.start();
  type Health = { readonly projection: { readonly appliedSequence: number } };
  await vi.waitFor(
    async () => {
      const { projection } = await controlPlane.api.get<Health>('/v1/health');
      if (projection.appliedSequence !== entries) throw new Error(`the projection is at ${projection.appliedSequence}`);
    },
    { timeout: 10_000, interval: 20 },
  );
});
afterAll(async () => bench[Symbol.asyncDispose]());

type Answer = Readonly<Record<string, unknown>>;
const ask = async (path: string, asOf?: string): Promise<Answer> =>
  controlPlane.api.get<Answer>(`/v1/${path}`, { query: { asOf } });
const count = (answer: Answer, list: string): number => (answer[list] as readonly unknown[]).length;

describe('a question as of an entry or a time', () => {
  it.each(ROUTES)('GET /v1/%s knows what the ledger held then', async (path, list) => {
    const now = await ask(path);
    expect(count(now, list)).toBeGreaterThan(0);
    expect(await ask(path, String(entries))).toEqual(now);
    expect(await ask(path, new Date(BEGIN_MS + entries * 1_000).toISOString())).toEqual(now);
    expect(count(await ask(path, '1'), list)).toBe(path === 'vehicles' ? 1 : 0);
    await expect(ask(path, 'yesterday')).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(ask(path, '2001-01-01T00:00:00Z')).rejects.toMatchObject({ code: 'TRACE_UNKNOWN' });
  });

  it('GET /v1/rollouts/:id tells the rollout as far as it had come', async () => {
    const ended = await ask('rollouts/ro-2', String(entries));
    expect(ended).toMatchObject({ rolloutId: 'ro-2', status: null, workflow: null });
    expect(ended['finished']).not.toBeNull();
    const { started, actions } = await ask('rollouts/ro-2', String(entries));
    expect(started).not.toBeNull();
    const lengths = await Promise.all(
      Array.from({ length: entries }, async (_, index) =>
        ask('rollouts/ro-2', String(index + 1)).then(
          (answer) => count(answer, 'actions'),
          () => -1,
        ),
      ),
    );
    expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
    expect(new Set(lengths)).toEqual(new Set([-1, 0, 1, 2, (actions as readonly unknown[]).length]));
  });
});
