/** The life of a campaign on one vehicle, as it is acknowledged. */
import { type Campaign, parseCampaign, type SignalChannel, type SourceMessage } from '@fleetloop/schemas';
import { makeTriggerEvaluator, type TriggerEvaluator } from '@fleetloop/schemas/trigger';
import { describe, expect, it } from 'vitest';
import { type BudgetFiles, CampaignDesk, type CampaignDeskOptions, type CampaignRecorder } from './campaign-desk.ts';

const NS_PER_MS = 1_000_000n;
const HOUR_NS = 3_600_000n * NS_PER_MS;
const SPEED: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
};

const campaign = (id: string, change: object = {}): Campaign =>
  parseCampaign({
    kind: 'campaign',
    id,
    version: 1,
    description: '',
    owner: 'test',
    priority: 'normal',
    inputs: [{ kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' }],
    condition: 'speed > 50.0',
    preWindowMs: 0,
    postWindowMs: 0,
    ...change,
  });

/** Remembers what it was told, and holds recordings open for whom the test says so. */
class OpenRecordings implements CampaignRecorder {
  readonly open = new Set<string>();
  campaigns: readonly string[] = [];

  setCampaigns(campaigns: readonly Campaign[]): void {
    this.campaigns = campaigns.map(({ id }) => id);
  }

  drainingCampaigns(): ReadonlySet<string> {
    return this.open;
  }
}

class MemoryFiles implements BudgetFiles {
  readonly texts = new Map<string, string>();

  async readText(name: string): Promise<string | undefined> {
    return this.texts.get(name);
  }

  async writeText(name: string, text: string): Promise<void> {
    this.texts.set(name, text);
  }
}

function makeDesk(options: CampaignDeskOptions = {}): {
  desk: CampaignDesk;
  evaluator: TriggerEvaluator;
  recorder: OpenRecordings;
  states: () => Record<string, string>;
} {
  const evaluator = makeTriggerEvaluator();
  const recorder = new OpenRecordings();
  const desk = new CampaignDesk(evaluator, recorder, options);
  const states = (): Record<string, string> => Object.fromEntries(desk.report().map(({ id, state }) => [id, state]));
  return { desk, evaluator, recorder, states };
}

function fired(evaluator: TriggerEvaluator, timeNs: bigint): readonly string[] {
  const message: SourceMessage = {
    kind: 'signal',
    channel: SPEED,
    sequence: 0,
    logTimeNs: timeNs,
    publishTimeNs: timeNs,
    values: Float64Array.of(60),
  };
  return evaluator.push(message).map((firing) => firing.campaign.campaign.id);
}

describe('a campaign on a vehicle', () => {
  it('is received, compiled and active, in this order, and once', () => {
    const seen: string[] = [];
    const { desk } = makeDesk({ onTransition: ({ id, state }) => void seen.push(`${id} ${state}`) });
    desk.apply([campaign('a')]);
    desk.apply([campaign('a')]);
    expect(seen).toEqual(['a received', 'a compiled', 'a active']);
  });

  it('is refused by itself, with the reason, and takes no other with it', () => {
    const { desk, recorder } = makeDesk();
    desk.apply([campaign('bad', { condition: 'speed >' }), campaign('good')]);
    expect(desk.report()).toMatchObject([
      { id: 'good', state: 'active' },
      { id: 'bad', state: 'refused', code: 'CAMPAIGN_SYNTAX', reason: expect.stringContaining('line 1') },
    ]);
    expect(recorder.campaigns).toEqual(['good']);
  });

  it('is refused when a test that it carries fails', () => {
    const trace = [{ timeMs: 7, path: 'Vehicle.Speed', value: 60 }];
    const { desk } = makeDesk();
    desk.apply([campaign('a', { tests: [{ name: 'too early', trace, expectedFireMs: [5] }] })]);
    expect(desk.refused).toMatchObject([
      { id: 'a', code: 'CAMPAIGN_TEST', reason: expect.stringMatching(/too early.* 5 ms.* 7 ms/) },
    ]);
  });

  it('is refused, and not done, when it comes again under the same version and is worse', () => {
    const { desk, recorder } = makeDesk();
    desk.apply([campaign('a')]);
    desk.apply([campaign('a', { condition: 'speed >' })]);
    expect(desk.report()).toMatchObject([{ id: 'a', state: 'refused', code: 'CAMPAIGN_SYNTAX' }]);
    expect(recorder.campaigns).toEqual([]);
  });

  it('drains when it is taken away with a recording open, is then done, and is forgotten with the next change', () => {
    const { desk, recorder, states } = makeDesk();
    desk.apply([campaign('a'), campaign('b')]);
    recorder.open.add('a');
    desk.apply([campaign('b')]);
    expect(states()).toEqual({ a: 'draining', b: 'active' });
    desk.apply([campaign('b'), campaign('c')]);
    expect(states()).toEqual({ a: 'draining', b: 'active', c: 'active' });
    recorder.open.clear();
    expect(states()).toEqual({ a: 'done', b: 'active', c: 'active' });
    desk.apply([campaign('b')]);
    expect(states()).toEqual({ b: 'active', c: 'done' });
  });

  it('starts and expires on session time, and drains before it is expired', () => {
    const { desk, recorder, states } = makeDesk();
    desk.apply([campaign('a', { startsAt: '1970-01-01T00:00:01Z', expiresAt: '1970-01-01T00:00:02Z' })]);
    const seen = [0n, 1_000n, 2_000n].map((timeMs) => {
      desk.advance(timeMs * NS_PER_MS);
      if (timeMs === 1_000n) recorder.open.add('a');
      return states()['a'];
    });
    recorder.open.clear();
    expect([...seen, states()['a']]).toEqual(['compiled', 'active', 'draining', 'expired']);
  });

  it('is suspended by the operator with that reason', () => {
    const { desk, evaluator } = makeDesk();
    desk.apply([campaign('a', { suspended: true })]);
    expect(desk.report()).toMatchObject([{ state: 'suspended', reason: expect.stringContaining('operator') }]);
    expect(fired(evaluator, 0n)).toEqual([]);
  });
});

describe('a budget', () => {
  const budgeted = campaign('a', { budgets: { eventsPerHour: 2, bytesPerDay: 1_000 } });

  it('of events per hour suspends the campaign alone, until there is room again', async () => {
    const { desk, evaluator, states } = makeDesk();
    desk.apply([budgeted, campaign('b')]);
    await desk.recorded(['a', 'b'], 10, 1n * NS_PER_MS);
    await desk.recorded(['a'], 10, 2n * NS_PER_MS);
    expect(states()).toEqual({ a: 'suspended', b: 'active' });
    expect(desk.report()[0]).toMatchObject({
      code: 'CAMPAIGN_BUDGET',
      reason: '2 recordings in an hour, the budget is 2',
    });
    expect(fired(evaluator, 3n * NS_PER_MS)).toEqual(['b']);
    desk.advance(HOUR_NS + 1n * NS_PER_MS);
    expect(states()).toEqual({ a: 'active', b: 'active' });
    expect(fired(evaluator, HOUR_NS + 1n * NS_PER_MS)).toEqual(['a', 'b']);
  });

  it('of bytes per day goes on over a restart and over another version of the campaign', async () => {
    const files = new MemoryFiles();
    const first = makeDesk({ files });
    first.desk.apply([budgeted]);
    await first.desk.recorded(['a'], 1_000, HOUR_NS);
    const second = makeDesk({ files });
    await second.desk.restore();
    second.desk.apply([{ ...budgeted, version: 2 }]);
    second.desk.advance(2n * HOUR_NS);
    expect(second.desk.report()).toMatchObject([{ version: 2, state: 'suspended', code: 'CAMPAIGN_BUDGET' }]);
    expect(fired(second.evaluator, 2n * HOUR_NS)).toEqual([]);
    second.desk.advance(25n * HOUR_NS);
    expect(second.states()).toEqual({ a: 'active' });
  });

  it('file that cannot be read is named, and the desk works on', async () => {
    const files = new MemoryFiles();
    files.texts.set('campaign-budgets.json', '{"campaigns":[{"id":"a","entries":[["x",1,1]]}]}');
    const { desk, states } = makeDesk({ files });
    await expect(desk.restore()).rejects.toMatchObject({ code: 'SPOOL_CORRUPT' });
    desk.apply([budgeted]);
    expect(states()).toEqual({ a: 'active' });
  });
});
