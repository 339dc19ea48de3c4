/** Why: an operator sees of a campaign what each vehicle says of it; pushing one must cost no event of another. */
import { describe, expect, it } from 'vitest';
import { changeDesired } from './desired-writer.ts';
import { acceptedEvents, DEADLINE, speeding } from './live-vehicle.ts';
import { withLiveVehicle } from './one-vehicle.ts';

const VEHICLE = 'campaigned';
const EXPIRES_AFTER_MS = 3_000;
/** Long enough that a push and its answer fit into it. */
const LONG_WINDOW_MS = 6_000;
const NS_PER_MS = 1_000_000n;

const fleet = withLiveVehicle(VEHICLE);

type Shown = { readonly vehicles: readonly { readonly state: string; readonly reason: string | null }[] };

/** What GET /v1/campaigns/:id shows of the one fleet.vehicle. */
async function shown(id: string): Promise<Shown['vehicles'][number] | undefined> {
  return (await fleet.controlPlane.api.get<Shown>(`/v1/campaigns/${id}`)).vehicles[0];
}

const comesTo = async (id: string, state: string): Promise<void> =>
  expect.poll(async () => (await shown(id))?.state, DEADLINE).toBe(state);

const change = async (id: string, verb: 'suspend' | 'resume' | 'end'): Promise<void> => {
  await fleet.controlPlane.api.post(`/v1/campaigns/${id}/${verb}`, {});
};

const accepted = async (): Promise<readonly string[]> => acceptedEvents(fleet.bench, VEHICLE);

describe('the acknowledgement of a campaign', () => {
  it('is active, suspended by the operator, active again', async () => {
    await fleet.vehicle.push(speeding('taken-back'));
    await comesTo('taken-back', 'active');
    await change('taken-back', 'suspend');
    await comesTo('taken-back', 'suspended');
    await change('taken-back', 'resume');
    await comesTo('taken-back', 'active');
  });

  it('is expired when its time is over', async () => {
    const expiresAt = new Date(Date.now() + EXPIRES_AFTER_MS).toISOString();
    await fleet.vehicle.push(speeding('short-lived', { expiresAt }));
    await comesTo('short-lived', 'expired');
    expect((await shown('short-lived'))?.reason).toContain(expiresAt);
  });

  it('is draining while its last event is open, then done, and the event arrives', async () => {
    const before = (await accepted()).length;
    await fleet.vehicle.push(speeding('ended', { postWindowMs: LONG_WINDOW_MS }));
    await comesTo('ended', 'active');
    await change('taken-back', 'suspend');
    await comesTo('taken-back', 'suspended');
    await fleet.vehicle.trigger('ended');
    await change('ended', 'end');
    await comesTo('ended', 'draining');
    await comesTo('ended', 'done');
    await expect.poll(async () => (await accepted()).length, DEADLINE).toBe(before + 1);
  });

  it('is refused by the vehicle itself, with the reason, when what reaches it does not compile', async () => {
    await fleet.vehicle.push(speeding('not-understood'));
    await comesTo('not-understood', 'active');
    const inputs = [{ kind: 'signal', name: 'speed', path: 'Vehicle.NoSuchThing', unit: 'km/h' }];
    await changeDesired(fleet.bench, VEHICLE, (campaigns) =>
      campaigns.map((each) => (each.id === 'not-understood' ? { ...each, inputs } : each)),
    );
    await comesTo('not-understood', 'refused');
    expect((await shown('not-understood'))?.reason).toContain('Vehicle.NoSuchThing');
    expect(await fleet.vehicle.stateOf('taken-back')).toBe('suspended');
  });
});

describe('a push while an event is open', () => {
  it('costs nothing of it', async () => {
    const windows = { preWindowMs: 1_000, postWindowMs: LONG_WINDOW_MS };
    await fleet.vehicle.push(speeding('pending', windows));
    await comesTo('pending', 'active');
    const before = new Set(await accepted());
    await fleet.vehicle.trigger('pending');
    expect(await accepted()).toHaveLength(before.size);
    await fleet.vehicle.push(speeding('pushed-meanwhile', { condition: 'speed > 200.0' }));
    await fleet.vehicle.push(speeding('pending', { ...windows, version: 2, condition: 'speed > 300.0' }));
    await comesTo('pushed-meanwhile', 'active');
    await expect.poll(async () => (await accepted()).filter((id) => !before.has(id)), DEADLINE).toHaveLength(1);
    const [event] = (await fleet.bench.readLedger()).flatMap((entry) =>
      entry.kind === 'recording.accepted' && !before.has(entry.body.metadata.event?.id ?? '') ? [entry.body] : [],
    );
    const { startNs, endNs, triggers } = event?.metadata.event ?? {};
    expect(triggers).toMatchObject([{ campaign: 'pending' }]);
    const triggeredNs = BigInt(triggers?.[0]?.timeNs ?? 0);
    expect(triggeredNs - BigInt(startNs ?? 0)).toBe(BigInt(windows.preWindowMs) * NS_PER_MS);
    expect(BigInt(endNs ?? 0) - triggeredNs).toBe(BigInt(windows.postWindowMs) * NS_PER_MS);
    expect(event?.metadata.gaps).toEqual([]);
    expect(event?.topics['/vss/Vehicle']).toBeGreaterThan(LONG_WINDOW_MS / 40);
  });
});
