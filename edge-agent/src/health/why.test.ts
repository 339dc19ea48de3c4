import { parseCampaign, parseDigest, type SignalChannel } from '@fleetloop/schemas';
import { compileCampaign, type CampaignExplanation, makeTriggerEvaluator } from '@fleetloop/schemas/trigger';
import { describe, expect, it } from 'vitest';
import type { Outcome, SpoolEntry } from '../spool/spool-entry.ts';
import type { UploadExplanation } from '../uplink/uplink-explanation.ts';
import { EVENT_ID } from './status-testbed.ts';
import {
  type CampaignFacts,
  type EventFacts,
  type LinkFacts,
  RECORDINGS_NAMED_MAX,
  whyCampaign,
  whyEvent,
} from './why.ts';

const NS_PER_MS = 1_000_000n;
const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`);
const CHANNEL: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
};

/** What the evaluator says of a campaign after these speeds, one a second. */
function explained(speeds: readonly number[], change: object = {}): CampaignExplanation | undefined {
  const campaign = parseCampaign({
    kind: 'campaign',
    id: 'fast',
    version: 1,
    description: '',
    owner: 'test',
    priority: 'normal',
    inputs: [
      { kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' },
      { kind: 'signal', name: 'angle', path: 'Vehicle.Chassis.SteeringWheel.Angle', unit: 'degrees' },
    ],
    condition: 'speed > 50.0',
    preWindowMs: 0,
    postWindowMs: 0,
    ...change,
  });
  const evaluator = makeTriggerEvaluator();
  evaluator.setCampaigns([compileCampaign(campaign, {})]);
  evaluator.startSession();
  for (const [second, speed] of speeds.entries()) {
    const logTimeNs = BigInt(second) * 1_000n * NS_PER_MS;
    const stamps = { logTimeNs, publishTimeNs: logTimeNs, sequence: second };
    evaluator.push({ kind: 'signal', channel: CHANNEL, ...stamps, values: Float64Array.of(speed) });
  }
  return evaluator.explain('fast');
}

function campaignAnswer(change: Partial<CampaignFacts> = {}): string {
  const facts: CampaignFacts = {
    id: 'fast',
    report: { id: 'fast', version: 1, state: 'active' },
    explanation: undefined,
    withheld: [],
    diskState: 'normal',
    pending: [],
    queued: [],
    ...change,
  };
  return whyCampaign(facts).conclusion.join('\n');
}

describe('why of a campaign', () => {
  it('names the last values with their units', () => {
    expect(campaignAnswer({ explanation: explained([10, 20.123_456_7]) })).toBe(
      [
        'campaign fast version 1 is active',
        'speed > 50.0 was false at 1970-01-01T00:00:01.000Z with speed 20.1235 km/h, angle absent degrees',
        'evaluated 2 times, fired 0, inputs absent 0, held back by cool-down 0 and by budget 0, failed 0',
        'it has not fired in this session',
      ].join('\n'),
    );
  });

  it('names an absent input as the reason only where the condition needs it', () => {
    const needed = explained([60], { condition: 'speed > 50.0 && angle > 1.0' });
    expect(campaignAnswer({ explanation: needed })).toContain(
      'could not become true at 1970-01-01T00:00:00.000Z: nothing has come for angle',
    );
    expect(campaignAnswer({ explanation: explained([60]) })).not.toContain('nothing has come');
  });

  it('says that nothing was evaluated and what has not come', () => {
    expect(campaignAnswer({ explanation: explained([]) })).toContain(
      'its condition has not been evaluated in this session: nothing has come for speed, angle',
    );
  });

  it.each([
    ['cool-down', { cooldownMs: 5_000 }, 'it is quiet until 1970-01-01T00:00:05.000Z (cool-down)'],
    ['its edge', { edge: 'rising' }, 'its condition is true all the time: it fires when it becomes true again'],
    [
      'its hysteresis',
      { edge: 'rising', hysteresis: { releaseCondition: 'speed < 30.0' } },
      'it has fired and is not released: speed < 30.0 must become true first',
    ],
    [
      'its duration',
      { forMs: 4_000 },
      'its condition is true since 1970-01-01T00:00:00.000Z and must stay so until 1970-01-01T00:00:04.000Z',
    ],
    ['the operator', { suspended: true }, 'it is suspended'],
    ['its start', { startsAt: '1970-01-01T01:00:00Z' }, 'it begins at 1970-01-01T01:00:00.000Z'],
    ['its end', { expiresAt: '1970-01-01T00:00:00.500Z' }, 'it expired at 1970-01-01T00:00:00.500Z'],
  ])('names %s as what keeps it quiet', (_name, change, text) => {
    expect(campaignAnswer({ explanation: explained([60, 61], change) })).toContain(text);
  });

  it('does not say a value that must not leave the vehicle', () => {
    const facts = { explanation: explained([57.25]), withheld: ['Vehicle.Speed'] };
    expect(campaignAnswer(facts)).toContain('with speed withheld km/h, angle absent degrees');
    expect(JSON.stringify(campaignAnswer(facts))).not.toContain('57.25');
  });

  it('names the code with which it was refused, and a disk that takes less', () => {
    const report = {
      id: 'fast',
      version: 2,
      state: 'refused',
      code: 'SIGNAL_UNKNOWN',
      reason: 'no such path',
    } as const;
    expect(campaignAnswer({ report, diskState: 'safety-only' })).toBe(
      'campaign fast version 2 is refused: SIGNAL_UNKNOWN: no such path\n' +
        'the disk is in the state safety-only, in which only safety recordings are taken',
    );
  });

  it('names events that are open, and a bounded number of recordings', () => {
    const pending = [
      {
        eventId: EVENT_ID,
        campaignIds: ['fast'],
        startNs: 0n,
        endNs: 0n,
        triggers: 2,
        waitsFor: 'settling' as const,
        waitsUntilNs: 5_000n * NS_PER_MS,
      },
    ];
    const queued = Array.from({ length: RECORDINGS_NAMED_MAX + 1 }, (_, index) => `ev-${index}`);
    const text = campaignAnswer({ pending, queued });
    expect(text).toContain(
      `event ${EVENT_ID} is on disk and waits whether a later trigger extends it, until 1970-01-01T00:00:05.000Z, 2 triggers`,
    );
    expect(text).toContain(`${RECORDINGS_NAMED_MAX + 1} recordings of it wait on this vehicle`);
  });

  it('says so of one that the vehicle does not have', () => {
    expect(campaignAnswer({ report: undefined })).toMatch(/^campaign fast is not on this vehicle/);
  });
});

const ENTRY: SpoolEntry = {
  eventId: EVENT_ID,
  digest: DIGEST,
  sizeBytes: 1_000,
  chunkSizeBytes: 500,
  chunkDigests: [DIGEST, DIGEST],
  priority: 'normal',
  session: 's',
  campaignIds: ['fast'],
  startNs: 0n,
  endNs: 1n,
  capturedAtMs: 0,
  order: 1,
  generation: 0,
  isResumed: false,
  isSettled: true,
};
const LINK: LinkFacts = {
  isConnected: true,
  refusal: null,
  networkClass: 'wifi',
  leftTodayBytes: null,
  hold: null,
};
const UPLOAD: UploadExplanation = {
  eventId: EVENT_ID,
  kind: 'recording',
  priority: 'normal',
  sentAs: 'normal',
  isBoosted: false,
  deadlineInMs: null,
  phase: 'sending',
  sizeBytes: 1_000,
  chunks: 2,
  chunksLeft: 1,
  failures: 0,
  lastError: null,
  nextAttemptInMs: 0,
};

function eventAnswer(change: Partial<EventFacts>): string {
  const facts: EventFacts = {
    id: EVENT_ID,
    pending: undefined,
    spool: { kind: 'unknown' },
    upload: undefined,
    link: undefined,
    ...change,
  };
  return whyEvent(facts).conclusion.join('\n');
}
const queued = (link: Partial<LinkFacts>, entry: Partial<SpoolEntry> = {}, upload: Partial<UploadExplanation> = {}) =>
  eventAnswer({
    spool: { kind: 'queued', entry: { ...ENTRY, ...entry } },
    link: { ...LINK, ...link },
    upload: { ...UPLOAD, ...upload },
  });

describe('why of an event that waits here', () => {
  it('says how far its upload is', () => {
    expect(queued({})).toBe(
      'its recording of 1000 bytes (normal) is on disk since 1970-01-01T00:00:00.000Z\n' +
        'sending: 1 of 2 chunks have arrived, next as soon as it is its turn',
    );
  });

  it.each([
    ['no link', { isConnected: false }, 'there is no link to the control plane'],
    [
      'a refusal',
      { isConnected: false, refusal: { code: 'UPLINK_FORBIDDEN', message: 'revoked' } },
      'the server refuses this vehicle: UPLINK_FORBIDDEN: revoked',
    ],
    ['the network', { networkClass: 'offline' as const }, 'the network class is offline: nothing is sent'],
    [
      'a budget',
      { networkClass: 'metered' as const, leftTodayBytes: 999 },
      'priority normal may send 999 bytes more today on a metered network',
    ],
    [
      'a pause',
      { hold: { priority: 'normal', reason: 'busy', code: 'UPLINK_BUSY', forMs: 1_001 } as const },
      'uploads of priority normal pause for 2 s: UPLINK_BUSY: busy',
    ],
  ])('names %s as what holds it up', (_name, link, text) => {
    expect(queued(link)).toContain(text);
    expect(queued({ leftTodayBytes: 1_000 })).not.toContain(text);
  });

  it('says what went wrong before, when it is tried again, and that a deadline hurries it', () => {
    const lastError = { code: 'UPLINK_UNAVAILABLE', message: 'no answer' };
    const text = queued(
      {},
      { isSettled: false, storedAt: 'north' },
      { failures: 3, lastError, nextAttemptInMs: 1_500, isBoosted: true, sentAs: 'safety' },
    );
    expect(text).toContain('next attempt in 2 s');
    expect(text).toContain('failed 3 times, last: UPLINK_UNAVAILABLE: no answer');
    expect(text).toContain('its deadline is near, so it is sent as safety');
    expect(text).toContain('relay north has it');
    expect(text).toContain('not uploaded yet, because a later trigger may still extend it');
    expect(queued({}, {}, { nextAttemptInMs: null })).toContain('an answer is awaited');
  });
});

describe('why of an event that is gone', () => {
  const ended = (change: Partial<Outcome>, isTold = true): string => {
    const { eventId: id, digest, sizeBytes, priority, session, campaignIds, startNs, endNs } = ENTRY;
    const base = { id, digest, sizeBytes, priority, session, campaignIds, startNs, endNs, atMs: 0 };
    return eventAnswer({ spool: { kind: 'ended', isTold, outcome: { ...base, outcome: 'verified', ...change } } });
  };

  it.each([
    [{ outcome: 'verified', ledgerSequence: '7' }, true, 'verified at 1970-01-01T00:00:00.000Z: ledger entry 7'],
    [
      { outcome: 'refused', code: 'INGEST_DIGEST', reason: 'other bytes' },
      true,
      'refused by the cloud at 1970-01-01T00:00:00.000Z: INGEST_DIGEST: other bytes; the copy is kept aside until room is needed',
    ],
    [
      { outcome: 'evicted', code: 'SPOOL_FULL', reason: 'no room' },
      false,
      'given up at 1970-01-01T00:00:00.000Z: SPOOL_FULL: no room; the cloud has not confirmed that it knows',
    ],
    [
      { outcome: 'quarantined', reason: 'torn' },
      true,
      'set aside at 1970-01-01T00:00:00.000Z: torn; the cloud knows it',
    ],
    [{ outcome: 'withdrawn', into: 'ev-2' }, true, 'became part of event ev-2 at 1970-01-01T00:00:00.000Z'],
    [{ outcome: 'withdrawn' }, true, 'withdrawn at 1970-01-01T00:00:00.000Z: no reason was given'],
  ] as const)('%o', (outcome, isTold, text) => {
    expect(ended(outcome, isTold)).toBe(text);
  });

  it('says so of one that was never here, and of one that is looked at', () => {
    expect(eventAnswer({})).toMatch(/is not known on this vehicle/);
    expect(eventAnswer({ spool: { kind: 'adopting' } })).toMatch(/found on disk at the start/);
  });
});
