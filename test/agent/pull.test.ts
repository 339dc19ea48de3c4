/** Why: what a fleet wants to know later is on some vehicle now; asking for it, not getting it and no longer wanting it must each end, with a reason. */
import { describe, expect, it } from 'vitest';
import { acceptedEvents, askOnBoard, DEADLINE, evictions } from './live-vehicle.ts';
import { withLiveVehicle } from './one-vehicle.ts';

const VEHICLE = 'pulled';
const PULLS = `/v1/vehicles/${VEHICLE}/pulls`;
const HOUR_MS = 3_600_000;
const NS_PER_MS = 1_000_000n;
/** What the vehicle must have driven before a range of it is asked for, messages. */
const DRIVEN = 150;

const fleet = withLiveVehicle(VEHICLE);

type Pull = {
  readonly pullId: string;
  readonly state: string;
  readonly code: string | null;
  readonly reason: string | null;
  readonly eventIds: readonly string[];
  readonly recordings: readonly string[];
};

async function ask(fromMs: number, toMs: number): Promise<string> {
  const range = { fromNs: String(BigInt(fromMs) * NS_PER_MS), toNs: String(BigInt(toMs) * NS_PER_MS) };
  const { pullId } = await fleet.controlPlane.api.post<{ pullId: string }>(PULLS, {
    ...range,
    reason: 'a driver called',
  });
  return pullId;
}

async function pull(pullId: string): Promise<Pull | undefined> {
  const { pulls } = await fleet.controlPlane.api.get<{ pulls: readonly Pull[] }>(PULLS);
  return pulls.find((each) => each.pullId === pullId);
}

const comesTo = async (pullId: string, state: string): Promise<void> =>
  expect.poll(async () => (await pull(pullId))?.state, DEADLINE).toBe(state);

/** Waits until the vehicle has driven for three seconds more. */
async function drive(): Promise<{ readonly fromMs: number; readonly toMs: number }> {
  const messages = async () => (await captureOf()).messages;
  const before = await messages();
  const fromMs = Date.now();
  await expect.poll(messages, DEADLINE).toBeGreaterThan(before + DRIVEN);
  return { fromMs, toMs: Date.now() };
}

async function captureOf(): Promise<{ readonly messages: number }> {
  const { capture } = await askOnBoard<{ capture: { messages: number } }>(fleet.vehicle.agent, { kind: 'status' });
  return capture;
}

describe('a stored range of a live vehicle', () => {
  it('is captured, uploaded and catalogued with the pull that asked for it', async () => {
    const { fromMs, toMs } = await drive();
    const pullId = await ask(fromMs, toMs);
    await comesTo(pullId, 'uploaded');
    const [recording, ...others] = await fleet.vehicle.recordings();
    expect(others).toEqual([]);
    const accepted = (await fleet.bench.readLedger()).flatMap((entry) =>
      entry.kind === 'recording.accepted' ? [entry.body] : [],
    );
    expect(accepted).toMatchObject([{ metadata: { pull: pullId, event: { id: recording?.event } } }]);
    await expect.poll(async () => (await pull(pullId))?.recordings, DEADLINE).toEqual([accepted[0]?.recording]);
    const [first] = accepted;
    expect(BigInt(first?.startNs ?? 0)).toBeGreaterThanOrEqual(BigInt(fromMs) * NS_PER_MS);
    expect(BigInt(first?.endNs ?? 0)).toBeLessThanOrEqual(BigInt(toMs) * NS_PER_MS);
    expect(first?.topics['/vss/Vehicle']).toBeGreaterThan(DRIVEN / 2);
  });

  it('that is not held is unavailable, and the answer names what is held', async () => {
    const pullId = await ask(Date.now() - 2 * HOUR_MS, Date.now() - HOUR_MS);
    await comesTo(pullId, 'unavailable');
    const answer = await pull(pullId);
    expect(answer?.code).toBe('PULL_UNAVAILABLE');
    expect(answer?.reason).toMatch(/it holds \S+ from \d+ to \d+/);
  });

  it('that is no longer wanted before it was sent leaves a tombstone, although the link was cut meanwhile', async () => {
    const { fromMs, toMs } = await drive();
    await fleet.vehicle.network('offline');
    const pullId = await ask(fromMs, toMs);
    await comesTo(pullId, 'captured');
    const [eventId = ''] = (await pull(pullId))?.eventIds ?? [];
    fleet.vehicle.link.interrupt();
    await fleet.controlPlane.api.delete(`${PULLS}/${pullId}`, { query: { reason: 'found it' } });
    expect(await fleet.vehicle.agent.spooled()).toHaveLength(1);
    fleet.vehicle.link.restore();
    await expect.poll(fleet.vehicle.agent.spooled, DEADLINE).toEqual([]);
    await fleet.vehicle.network('wifi');
    await expect
      .poll(
        async () => (await evictions(fleet.bench, VEHICLE)).map(({ eventId: id, code }) => ({ id, code })),
        DEADLINE,
      )
      .toEqual([{ id: eventId, code: 'PULL_CANCELLED' }]);
    expect(await acceptedEvents(fleet.bench, VEHICLE)).not.toContain(eventId);
    expect((await pull(pullId))?.state).toBe('cancelled');
  });
});
