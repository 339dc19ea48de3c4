import { FleetError, type NewFact } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlobStore, Ledger, StoredEntry } from '../ports.ts';
import { defaultStandard } from '../quality/default-standard.ts';
import type { CheckReport } from '../quality/finding.ts';
import { SchemaWatch } from '../quality/schema-watch.ts';
import type { TopicForm } from '../quality/topic-form.ts';
import { AcceptedRecordings } from './accepted-recordings.ts';
import { subjectOf } from './facts.ts';
import { type ArrivedRecording, RecordingFiler } from './recording-filer.ts';
import type { RecordingSummary } from './recording-check.ts';

const RECORDING = digestOfBytes(Uint8Array.of(1));
const STANDARD = { name: 'test', version: 1, digest: digestOfBytes(Uint8Array.of(2)) };

/** Fails before or after its n-th step, as a full disk, a lost answer or a killed process would. */
class Faults {
  #left: number;
  readonly isAfter: boolean;

  constructor(step: number, isAfter: boolean) {
    this.#left = step;
    this.isAfter = isAfter;
  }

  async around<Result>(work: () => Result): Promise<Result> {
    this.#left -= 1;
    const fails = this.#left === 0;
    const failure = new FleetError('RECORD_WRITE', 'no space is left on the disk');
    if (fails && !this.isAfter) throw failure;
    const result = work();
    if (fails) throw failure;
    return result;
  }
}

class World {
  readonly facts: NewFact[] = [];
  readonly blobs = new Set<string>();

  /** `behind` is called before the first append looks at the ledger, as another process might write then. */
  ledger(faults: Faults, behind: () => void = () => {}): Ledger {
    let interfere = behind;
    const last = (subject: string): number => this.facts.findLastIndex((fact) => subjectOf(fact) === subject) + 1;
    const append: Ledger['append'] = async (facts, { expect: expected = {} } = {}) =>
      faults.around(() => {
        interfere();
        interfere = () => {};
        for (const [subject, sequence] of Object.entries(expected))
          if (last(subject) !== sequence) throw new FleetError('LEDGER_CONFLICT', `${subject} was written to`);
        const from = this.facts.length;
        this.facts.push(...facts);
        return { sequences: facts.map((_, index) => from + index + 1) };
      });
    const stored = (sequence: number): StoredEntry => {
      const { key: _key, evidence = [], ...fact } = this.facts[sequence - 1] as NewFact;
      const subject = subjectOf(this.facts[sequence - 1] as NewFact);
      const entry = { v: 1, at: '2026-01-01T00:00:00.000Z', subject, evidence, ...fact } as const;
      return { sequence, bytes: new Uint8Array(0), entry: entry as StoredEntry['entry'] };
    };
    const read: Ledger['read'] = async function* ({ fromSequence, toSequence = fromSequence }) {
      for (let sequence = fromSequence; sequence <= toSequence; sequence += 1) yield stored(sequence);
    };
    return {
      append,
      lastSequenceOf: async (subject) => last(subject),
      size: async () => this.facts.length,
      read,
      follow: read,
    };
  }

  store(faults: Faults): BlobStore {
    const unused = async (): Promise<never> => {
      throw new Error('not used here');
    };
    return {
      put: async (bytes) =>
        faults.around(() => {
          const digest = digestOfBytes(bytes);
          this.blobs.add(digest);
          return digest;
        }),
      adopt: async (_path, digest) => faults.around(() => void this.blobs.add(digest)),
      has: async (digest) => this.blobs.has(digest),
      get: unused,
      open: unused,
      sizeOf: unused,
      pathOf: unused,
    };
  }
}

function summary(report: Partial<CheckReport> = {}): RecordingSummary {
  return {
    metadata: {
      vehicle: { id: 'v1', hardwareRevision: 'A' },
      software: { name: 's', version: '1' },
      session: { name: 'drive', attributes: {} },
      clock: { source: 'test', uncertaintyNs: '0' },
      gaps: [],
      loss: {},
    },
    messages: 1,
    startNs: 1n,
    endNs: 2n,
    topics: { '/a': 1 },
    timeOfDay: undefined,
    report: { standard: STANDARD, verdict: 'accepted', findings: [], suppressed: 0, ...report },
    forms: [],
  };
}

function arrived(overrides: Partial<ArrivedRecording> = {}): ArrivedRecording {
  const manifest = Uint8Array.of(9);
  return {
    path: '/x',
    digest: RECORDING,
    sizeBytes: 10,
    summary: summary(),
    source: 'uplink',
    actor: 'ingest',
    manifest,
    ...overrides,
  };
}

const filerOf = (world: World, faults: Faults, behind?: () => void): RecordingFiler =>
  new RecordingFiler({
    ledger: world.ledger(faults, behind),
    blobs: world.store(faults),
    accepted: new AcceptedRecordings(),
    watch: new SchemaWatch(defaultStandard()),
  });
const kindsOf = ({ facts }: World): string[] => facts.map(({ kind }) => kind);

describe('RecordingFiler', () => {
  it('files once whatever fails, and the ledger never names a blob that is not there', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ step: fc.integer({ min: 1, max: 6 }), isAfter: fc.boolean() }), { maxLength: 5 }),
        async (attempts) => {
          const world = new World();
          const label = { label: 'ICE', method: 'test' };
          for (const { step, isAfter } of attempts) {
            // A new filer each time, as after a restart: nothing is remembered but what was stored.
            await filerOf(world, new Faults(step, isAfter))
              .file(arrived({ label }))
              .catch((error: unknown) => expect(FleetError.from(error).retryable).toBe(true));
            for (const { evidence = [] } of world.facts)
              for (const digest of evidence) expect(world.blobs.has(digest)).toBe(true);
          }
          expect([0, 3]).toContain(world.facts.length);
          if (world.facts.length === 0) await filerOf(world, new Faults(0, false)).file(arrived({ label }));
          expect(kindsOf(world)).toEqual(['recording.accepted', 'recording.checked', 'label.assigned']);
        },
      ),
    );
  });

  it('stores nothing but the report of a recording that the standard quarantines, and says why', async () => {
    const world = new World();
    const finding = {
      rule: 'clock.range',
      version: 1,
      severity: 'error',
      topic: '/a',
      fromNs: null,
      toNs: null,
      message: 'the stamps are of the year 1970',
      action: 'set the clock',
      evidence: {},
    } as const;
    const quarantined = arrived({ summary: summary({ verdict: 'quarantined', findings: [finding] }) });
    const refusal: unknown = await filerOf(world, new Faults(0, false))
      .file(quarantined)
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'INGEST_STANDARD',
      message: expect.stringContaining('clock.range on /a: the stamps are of the year 1970'),
    });
    expect([world.facts, [...world.blobs]]).toEqual([[], [FleetError.from(refusal).details['report']]]);
  });

  it('accepts a recording with findings, and the ledger has them', async () => {
    const world = new World();
    await filerOf(world, new Faults(0, false)).file(
      arrived({ summary: summary({ verdict: 'accepted_with_findings' }) }),
    );
    expect(world.facts[1]).toMatchObject({ kind: 'recording.checked', body: { verdict: 'accepted_with_findings' } });
  });
});

const form = (unit: string): TopicForm => ({
  topic: '/a',
  encoding: 'signals',
  schemaName: '',
  schema: null,
  fields: [{ name: 'Vehicle.Speed', type: 'double', unit }],
  isDeclared: true,
  sampled: 0,
  isCut: false,
  rateHz: 10,
});

describe('RecordingFiler, about forms', () => {
  const recordingOf = (index: number, unit: string, overrides: Partial<RecordingSummary> = {}): ArrivedRecording =>
    arrived({
      digest: digestOfBytes(Uint8Array.of(10 + index)),
      summary: { ...summary(), forms: [form(unit)], ...overrides },
    });
  const rulesOf = (world: World): readonly string[] =>
    world.facts.flatMap(({ kind, body }) =>
      kind === 'recording.checked'
        ? [(body as { findings: readonly { rule: string }[] }).findings.map(({ rule }) => rule).join(' ')]
        : [],
    );

  it('files forms that are new with the recording that brings them, and holds later recordings against them', async () => {
    const world = new World();
    const filer = filerOf(world, new Faults(0, false));
    for (const [index, unit] of ['km/h', 'km/h', 'm/s', 'km/h'].entries()) await filer.file(recordingOf(index, unit));
    expect(kindsOf(world).filter((kind) => kind === 'form.introduced')).toHaveLength(1);
    expect(rulesOf(world)).toEqual(['', '', 'schema.changed-unversioned', '']);
  });

  it('finds the same when the ledger is read again before each recording, and when they arrive at once', async () => {
    const world = new World();
    for (const [index, unit] of ['km/h', 'm/s', 'km/h'].entries()) {
      const watch = new SchemaWatch(defaultStandard());
      const ledger = world.ledger(new Faults(0, false));
      await watch.catchUp(ledger);
      const parts = { ledger, blobs: world.store(new Faults(0, false)), accepted: new AcceptedRecordings(), watch };
      await new RecordingFiler(parts).file(recordingOf(index, unit));
    }
    const rules = ['', 'schema.changed-unversioned', ''];
    expect(rulesOf(world)).toEqual(rules);
    const atOnce = new World();
    const filer = filerOf(atOnce, new Faults(0, false));
    await Promise.all(['km/h', 'm/s', 'km/h'].map(async (unit, index) => filer.file(recordingOf(index, unit))));
    expect(rulesOf(atOnce)).toEqual(rules);
  });

  it('does not know a recording after a restart whose acceptance stands without its check', async () => {
    const world = new World();
    await filerOf(world, new Faults(0, false)).file(arrived({}));
    const whole = await AcceptedRecordings.load(world.ledger(new Faults(0, false)));
    expect(whole.find(RECORDING)).toEqual({ recording: RECORDING, sequence: 1 });
    world.facts.length = 1;
    const torn = await AcceptedRecordings.load(world.ledger(new Faults(0, false)));
    expect(torn.find(RECORDING)).toBeUndefined();
  });

  it('decides anew when another process introduced a form first', async () => {
    const world = new World();
    const other = new World();
    await filerOf(other, new Faults(0, false)).file(recordingOf(0, 'km/h'));
    const filer = filerOf(world, new Faults(0, false), () => world.facts.push(...other.facts));
    const { report, isNew } = await filer.file(recordingOf(1, 'm/s'));
    expect([isNew, report?.findings.map(({ rule }) => rule)]).toEqual([true, ['schema.changed-unversioned']]);
    expect(kindsOf(world)).toEqual([
      'recording.accepted',
      'recording.checked',
      'form.introduced',
      'recording.accepted',
      'recording.checked',
    ]);
  });

  it('files a recording of quarantine once somebody takes it in, with the findings and the reason', async () => {
    const world = new World();
    const bad = summary({ verdict: 'quarantined' });
    const release = { quarantine: 7, reason: 'looked through' };
    await filerOf(world, new Faults(0, false)).file(arrived({ summary: bad, actor: 'anna', release }));
    expect(kindsOf(world)).toEqual(['recording.accepted', 'recording.checked', 'recording.released']);
    expect(world.facts[1]).toMatchObject({ body: { verdict: 'quarantined' } });
    expect(world.facts[2]).toMatchObject({ actor: 'anna', body: { recording: RECORDING, ...release } });
  });
});
