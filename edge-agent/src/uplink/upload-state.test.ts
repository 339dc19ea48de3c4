import fc from 'fast-check';
import { evenly } from '@fleetloop/schemas/testing';
import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';
import { chunksLeft, nextSend, startUpload, stepUpload, type UploadInput, type UploadState } from './upload-state.ts';

const LOST = { kind: 'send-failed', failure: 'transient', code: 'UPLINK_UNAVAILABLE', message: 'lost' } as const;
const STEPS_MAX = 5_000;

/** A receiver and a link that lose, delay and repeat as they are told. */
class HostileWorld {
  nowMs = 0;
  readonly stored = new Set<number>();
  chunksSent = 0;
  state: UploadState;
  readonly #chance: () => number;
  readonly #late: UploadInput[] = [];

  constructor(chunkCount: number, isResumed: boolean, chance: () => number) {
    this.state = startUpload({ chunkCount, isResumed });
    this.#chance = chance;
  }

  step(input: UploadInput): void {
    this.state = stepUpload(this.state, input, { nowMs: this.nowMs, jitter: this.#chance() });
  }

  /** One action of the uploader, answered by the world. */
  tick(): void {
    if (this.#late.length > 0 && this.#chance() < 0.3) this.step(this.#late.shift() as UploadInput);
    const next = nextSend(this.state, this.nowMs);
    if (next.kind === 'wait') this.nowMs = next.untilMs;
    else if (next.kind === 'chunk') this.#chunk(next.index);
    else if (next.kind === 'manifest') this.#manifest();
    if (this.#chance() < 0.05) this.step({ kind: 'link-restored' });
    if (this.#chance() < 0.05) this.step({ kind: 'receiver-back' });
  }

  #chunk(index: number): void {
    this.chunksSent += 1;
    this.step({ kind: 'chunk-sent' });
    const luck = this.#chance();
    if (luck > 0.3) this.stored.add(index);
    // The answer may be lost although the chunk arrived, and the receiver may lose a chunk although it answered.
    this.step(luck < 0.5 ? { ...LOST, what: index } : { kind: 'chunk-stored' });
    if (luck > 0.9) this.stored.delete(index);
  }

  #manifest(): void {
    this.step({ kind: 'manifest-sent' });
    const luck = this.#chance();
    if (luck < 0.2) {
      this.step({ ...LOST, what: 'manifest' });
      return;
    }
    this.step({ kind: 'manifest-stored' });
    if (luck < 0.4) return;
    const answer = this.answer();
    if (luck < 0.6) this.#late.push(answer);
    else this.step(answer);
    if (luck > 0.9) this.step(answer);
  }

  answer(): UploadInput {
    const chunks = Array.from({ length: this.state.chunkCount }, (_, index) => index).filter(
      (index) => !this.stored.has(index),
    );
    return chunks.length === 0 ? { kind: 'receipt-verified', ledgerSequence: 7n } : { kind: 'receipt-missing', chunks };
  }
}

/** Numbers in [0, 1) from a list, again and again. */
function chanceOf(numbers: readonly number[]): () => number {
  let index = 0;
  return () => numbers[index++ % numbers.length] ?? 0.99;
}

describe('an upload', () => {
  it('ends verified with everything stored, over any hostile link, and never on anything but a receipt', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        fc.array(evenly(0, 0.999), { minLength: 40, maxLength: 200 }),
        (count, isResumed, numbers) => {
          // A link that loses everything for ever verifies nothing: some of the numbers must be kind.
          const world = new HostileWorld(
            count,
            isResumed,
            chanceOf([...numbers, ...Array.from({ length: 40 }, (_, index) => 0.5 + (index % 8) / 20)]),
          );
          for (let step = 0; step < STEPS_MAX && world.state.outcome === undefined; step += 1) world.tick();
          expect(world.state.outcome).toEqual({ kind: 'verified', ledgerSequence: 7n });
        },
      ),
    );
  });

  it('sends each chunk once over a good link, then the manifest, then waits', () => {
    let state = startUpload({ chunkCount: 3, isResumed: false });
    const sent: unknown[] = [];
    for (let next = nextSend(state, 0); next.kind === 'chunk' || next.kind === 'manifest'; next = nextSend(state, 0)) {
      const what = next.kind === 'chunk' ? next.index : 'manifest';
      sent.push(what);
      const [before, after]: UploadInput[] =
        what === 'manifest'
          ? [{ kind: 'manifest-sent' }, { kind: 'manifest-stored' }]
          : [{ kind: 'chunk-sent' }, { kind: 'chunk-stored' }];
      for (const input of [before, after]) state = stepUpload(state, input as UploadInput, { nowMs: 0, jitter: 0 });
    }
    expect(sent).toEqual([0, 1, 2, 'manifest']);
    expect(nextSend(state, 0).kind).toBe('wait');
  });

  it('asks first what is missing when it was found on disk, and sends only that', () => {
    let state = startUpload({ chunkCount: 4, isResumed: true });
    expect(nextSend(state, 0)).toEqual({ kind: 'manifest' });
    const moment = { nowMs: 0, jitter: 0 };
    for (const input of [
      { kind: 'manifest-sent' },
      { kind: 'manifest-stored' },
      { kind: 'receipt-missing', chunks: [2, 99] },
    ] as const)
      state = stepUpload(state, input, moment);
    expect(nextSend(state, 0)).toEqual({ kind: 'chunk', index: 2 });
    expect(chunksLeft(state)).toBe(1);
  });

  it('asks once more before it sends again what the server has confirmed, since the answer may be an old one', () => {
    const moment = { nowMs: 0, jitter: 0 };
    const steps = (state: UploadState, ...inputs: readonly UploadInput[]): UploadState =>
      inputs.reduce((each, input) => stepUpload(each, input, moment), state);
    const sendOne = [{ kind: 'chunk-sent' }, { kind: 'chunk-stored' }] as const;
    const ask = [{ kind: 'manifest-sent' }, { kind: 'manifest-stored' }] as const;
    const missing = { kind: 'receipt-missing', chunks: [1, 2] } as const;
    const asked = steps(startUpload({ chunkCount: 3, isResumed: true }), ...ask, ...ask, missing);
    const late = steps(asked, ...sendOne, ...sendOne, ...ask, missing);
    expect(chunksLeft(late)).toBe(0);
    const dueMs = late.notBeforeMs;
    expect(nextSend(late, dueMs)).toEqual({ kind: 'manifest' });
    const isTrue = steps(late, ...ask, missing);
    expect(nextSend(isTrue, isTrue.notBeforeMs)).toEqual({ kind: 'chunk', index: 1 });
    expect(steps(late, ...ask, { kind: 'receipt-verified', ledgerSequence: 3n }).outcome?.kind).toBe('verified');
  });

  it('publishes its manifest again when no receipt comes, less and less often', () => {
    let state = startUpload({ chunkCount: 1, isResumed: true });
    let nowMs = 0;
    const waits: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      for (const input of [{ kind: 'manifest-sent' }, { kind: 'manifest-stored' }] as const)
        state = stepUpload(state, input, { nowMs, jitter: 0 });
      const next = nextSend(state, nowMs);
      if (next.kind !== 'wait') throw new Error('it does not wait');
      waits.push(next.untilMs - nowMs);
      nowMs = next.untilMs;
      expect(nextSend(state, nowMs)).toEqual({ kind: 'manifest' });
    }
    expect(waits).toEqual([3_000, 6_000, 12_000, 24_000, 48_000, 96_000, 192_000, 384_000]);
  });

  it('ends with the reason when it is refused, and does not change after that', () => {
    const moment = { nowMs: 0, jitter: 0 };
    const refused = stepUpload(
      startUpload({ chunkCount: 1, isResumed: true }),
      { kind: 'receipt-refused', code: 'INGEST_LIMIT', message: 'too large' },
      moment,
    );
    expect(refused.outcome).toEqual({ kind: 'refused', code: 'INGEST_LIMIT', message: 'too large' });
    expect(stepUpload(refused, { kind: 'receipt-verified', ledgerSequence: 1n }, moment)).toBe(refused);
    expect(nextSend(refused, 0)).toEqual({ kind: 'idle' });
  });

  it('asks what has arrived after a cut that left much in doubt, and sends a little again without asking', () => {
    const moment = { nowMs: 0, jitter: 0 };
    const cutWith = (inFlight: number): UploadState => {
      let state = startUpload({ chunkCount: 10, isResumed: false, doubtfulMax: 3 });
      for (let sent = 0; sent < inFlight; sent += 1) state = stepUpload(state, { kind: 'chunk-sent' }, moment);
      for (let index = 0; index < inFlight; index += 1) state = stepUpload(state, { ...LOST, what: index }, moment);
      return stepUpload(state, { kind: 'link-restored' }, moment);
    };
    expect(nextSend(cutWith(3), 0)).toEqual({ kind: 'chunk', index: 0 });
    expect(chunksLeft(cutWith(3))).toBe(10);
    expect(nextSend(cutWith(4), 0)).toEqual({ kind: 'manifest' });
  });

  it('sends nothing more when a relay has it, asks at long intervals, and sends again when the relay lost it', () => {
    const step = (state: UploadState, input: UploadInput, nowMs: number): UploadState =>
      stepUpload(state, input, { nowMs, jitter: 0 });
    let state = startUpload({ chunkCount: 2, isResumed: true });
    for (const input of [
      { kind: 'manifest-sent' },
      { kind: 'manifest-stored' },
      { kind: 'receipt-stored', askAgainMs: 60_000 },
      { kind: 'link-restored' },
      { kind: 'receiver-back' },
    ] as const)
      state = step(state, input, 1_000);
    expect(nextSend(state, 1_000)).toEqual({ kind: 'wait', untilMs: 61_000 });
    expect(nextSend(state, 61_000)).toEqual({ kind: 'manifest' });
    for (const input of [
      { kind: 'manifest-sent' },
      { kind: 'manifest-stored' },
      { kind: 'receipt-missing', chunks: [1] },
    ] as const)
      state = step(state, input, 61_000);
    expect(chunksLeft(state)).toBe(1);
    const next = nextSend(state, 61_000);
    expect(nextSend(state, next.kind === 'wait' ? next.untilMs : 61_000)).toEqual({ kind: 'chunk', index: 1 });
  });

  it('brings a tombstone with one message and ends with its receipt', () => {
    const moment = { nowMs: 0, jitter: 0 };
    let state = startUpload({ chunkCount: 0, isResumed: true });
    expect(nextSend(state, 0)).toEqual({ kind: 'manifest' });
    for (const input of [{ kind: 'manifest-sent' }, { kind: 'receipt-verified', ledgerSequence: 4n }] as const)
      state = stepUpload(state, input, moment);
    expect(state.outcome).toEqual({ kind: 'verified', ledgerSequence: 4n });
  });

  it('gives up only on what can never work', () => {
    const moment = { nowMs: 0, jitter: 0 };
    const fail = (failure: 'permanent' | 'auth' | 'busy' | 'transient'): UploadState =>
      stepUpload(
        startUpload({ chunkCount: 1, isResumed: false }),
        { kind: 'send-failed', what: 0, failure, code: 'X', message: '' },
        moment,
      );
    expect(fail('permanent').outcome?.kind).toBe('failed');
    for (const failure of ['auth', 'busy', 'transient'] as const) {
      expect(fail(failure).outcome).toBeUndefined();
      expect(nextSend(fail(failure), 0).kind).toBe('wait');
    }
  });
});

describe('the wait after failures', () => {
  it('grows to its cap and is never more than the step nor less than half of it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('auth' as const, 'busy' as const, 'transient' as const),
        fc.integer({ min: 1, max: 10_000 }),
        evenly(0, 0.999),
        (kind, attempt, jitter) => {
          const waitMs = backoffMs(kind, attempt, jitter);
          expect(waitMs).toBeGreaterThanOrEqual(backoffMs(kind, attempt, 0));
          expect(waitMs).toBeLessThan(2 * backoffMs(kind, attempt, 0));
          expect(waitMs).toBeLessThanOrEqual(300_000);
          expect(backoffMs(kind, attempt + 1, 0)).toBeGreaterThanOrEqual(backoffMs(kind, attempt, 0));
        },
      ),
    );
  });
});
