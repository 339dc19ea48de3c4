import { fromBinary } from '@bufbuild/protobuf';
import { FleetError, parseVehicleId } from '@fleetloop/schemas';
import type { WindowInputs } from '@fleetloop/schemas/features';
import { type FeatureSample, FeatureSampleSchema, type Inference, Role } from '@fleetloop/schemas/wire';
import { describe, expect, it } from 'vitest';
import type { InferenceResult } from '../ports.ts';
import { FeatureSamples, type FeatureSamplesOptions, SAMPLE_BYTES_MAX, WAITING_BYTES_MAX } from './feature-samples.ts';

const HOUR_MS = 3_600_000;
const INPUTS: WindowInputs = {
  kind: 'taken',
  channels: [{ topic: '/vss/Vehicle', signals: [0] }],
  messages: [
    { channel: 0, logTimeNs: -5n, values: [2] },
    { channel: 0, logTimeNs: 7n, values: [Number.NaN] },
  ],
};
/** Inputs of about so many bytes on the wire. */
const large = (bytes: number): WindowInputs => ({
  kind: 'taken',
  channels: [{ topic: '/vss/Vehicle', signals: [0] }],
  messages: Array.from({ length: Math.floor(bytes / 10) }, () => ({ channel: 0, logTimeNs: 1n, values: [1] })),
});

function result(window: number, inputs: WindowInputs = INPUTS, session = 's1'): InferenceResult {
  const inference = {
    $typeName: 'fleetloop.infer.Inference',
    sequence: BigInt(window),
    session,
    windowStartNs: BigInt(window) * 1_000n,
    windowEndNs: BigInt(window + 1) * 1_000n,
    output: '',
    confidence: 0,
    distance: 0,
    latencyUs: 0,
    role: Role.ACTIVE,
    features: [2, Number.NaN],
    fallback: false,
  } satisfies Inference;
  const sampled = { featureSet: 'sha256:f', paths: ['Vehicle.Speed'], inputs: () => inputs };
  return { inference, bundle: 'sha256:b', model: 'm', variant: 'fp32', directorCounter: 1, sampled };
}

/** A vehicle whose clock and link the test moves. */
class Bench {
  readonly sent: FeatureSample[] = [];
  readonly files = new Map<string, string>();
  nowMs = 10 * HOUR_MS;
  isConnected = true;
  mayGo = true;
  refusals = 0;
  #over = new AbortController();
  #waits = 0;

  open(changed: Partial<FeatureSamplesOptions> = {}): FeatureSamples {
    const quiet = (): void => {};
    const publish = async (_: string, payload: Uint8Array): Promise<void> => {
      this.refusals -= 1;
      if (this.refusals >= 0) throw new FleetError('UPLINK_UNAVAILABLE', 'no answer');
      this.sent.push(fromBinary(FeatureSampleSchema, payload));
    };
    const link = Object.defineProperty({ publish }, 'isConnected', { get: () => this.isConnected });
    const wait = async (): Promise<void> => {
      this.#waits -= 1;
      if (this.#waits <= 0) this.#over.abort();
    };
    return new FeatureSamples({
      vehicleId: parseVehicleId('v1'),
      hardwareRevision: 'A',
      softwareVersion: '1.4.0',
      bytesPerHour: 10_000_000,
      link: link as unknown as FeatureSamplesOptions['link'],
      clock: { nowMs: () => this.nowMs, monotonicMs: () => 0, wait, random: () => 0 },
      logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      files: {
        readText: async (name) => this.files.get(name),
        writeText: async (name, text) => void this.files.set(name, text),
      },
      mayGo: () => this.mayGo,
      ...changed,
    });
  }

  /** Lets it work until it has waited so often, then stops it in order. */
  async run(samples: FeatureSamples, waits = 1): Promise<void> {
    this.#over = new AbortController();
    this.#waits = waits;
    await samples.run(this.#over.signal);
  }

  get windows(): readonly number[] {
    return this.sent.map(({ windowStartNs }) => Number(windowStartNs) / 1_000);
  }
}

describe('sampled inputs', () => {
  it('go out as they are, with the vector, what computed it, and the firmware that the session declares', async () => {
    const bench = new Bench();
    const samples = bench.open();
    samples.add(result(3), { firmware: 'ecu-7' });
    await bench.run(samples);
    expect(bench.sent).toMatchObject([
      {
        version: 1,
        vehicleId: 'v1',
        hardwareRevision: 'A',
        softwareVersion: '1.4.0',
        firmware: 'ecu-7',
        engine: 1,
        bundle: 'sha256:b',
        variant: 'fp32',
        featureSet: 'sha256:f',
        session: 's1',
        sequence: 3n,
        windowStartNs: 3_000n,
        windowEndNs: 4_000n,
        vector: [2, Number.NaN],
        channels: [{ topic: '/vss/Vehicle', signals: [0] }],
        messageChannels: [0, 0],
        messageOffsetsNs: [-3_005n, -2_993n],
        messageValues: [2, Number.NaN],
        withheld: { overBudget: 0, tooLarge: 0, notComparable: 0, redacted: 0, unsent: 0 },
      },
    ]);
  });

  it('are none of an inference that was not chosen, and one of a window that two models have', async () => {
    const bench = new Bench();
    const samples = bench.open();
    const { sampled: _, ...unchosen } = result(1);
    samples.add(unchosen, {});
    samples.add(result(2), {});
    samples.add(result(2), {});
    await bench.run(samples);
    expect(bench.windows).toEqual([2]);
  });

  it('wait for the link and for whatever is worth more, and are tried again when the server does not answer', async () => {
    const bench = new Bench();
    const samples = bench.open();
    samples.add(result(1), {});
    bench.mayGo = false;
    bench.refusals = 2;
    const running = bench.run(samples, 30);
    bench.mayGo = true;
    await running;
    expect(bench.windows).toEqual([1]);
    bench.isConnected = false;
    samples.add(result(2), {});
    await bench.run(samples);
    expect(bench.windows).toEqual([1]);
  });

  it('keep to the bytes of an hour, also over a restart, and the next one tells how many did not go and why', async () => {
    const bench = new Bench();
    const limits = { bytesPerHour: 400 };
    const first = bench.open(limits);
    for (const window of [1, 2, 3, 4, 5, 6]) first.add(result(window), {});
    await bench.run(first);
    const went = bench.windows.length;
    expect(went).toBeGreaterThan(0);
    expect(went).toBeLessThan(6);
    const second = bench.open(limits);
    await second.restore();
    second.add(result(7), {});
    await bench.run(second);
    expect(bench.windows).toHaveLength(went);
    bench.nowMs += HOUR_MS;
    const third = bench.open(limits);
    await third.restore();
    third.add(result(8), {});
    third.add(result(9), {});
    await bench.run(third);
    const told = bench.sent.reduce((sum, { withheld }) => sum + (withheld?.overBudget ?? 0), 0);
    expect(bench.windows.slice(went)).toEqual([8, 9].slice(0, bench.windows.length - went));
    expect(told).toBe(6 - went + 1);
  });

  it('do not go again when a drive is read anew after a restart; another session does', async () => {
    const bench = new Bench();
    const first = bench.open();
    for (const window of [1, 2]) first.add(result(window), {});
    await bench.run(first);
    const again = bench.open();
    await again.restore();
    for (const window of [1, 2, 3]) again.add(result(window), {});
    again.add(result(1, INPUTS, 's2'), {});
    await bench.run(again);
    expect(bench.windows).toEqual([1, 2, 3, 1]);
    expect(bench.sent.at(-1)?.session).toBe('s2');
  });

  it('are withheld and counted where a rule covers an input, they are too many, or they are not comparable', async () => {
    const bench = new Bench();
    const redactor = { covers: (path: string) => path === 'Vehicle.Speed', attributes: () => ({}) };
    const secret = bench.open({ redactor });
    secret.add(result(1), {});
    await bench.run(secret);
    const samples = bench.open();
    await samples.restore();
    samples.add(result(2, { kind: 'too_large' }), {});
    samples.add(result(3, { kind: 'not_comparable' }), {});
    samples.add(result(4, large(2 * SAMPLE_BYTES_MAX)), {});
    samples.add(result(5), {});
    await bench.run(samples);
    expect(bench.windows).toEqual([5]);
    expect(bench.sent[0]?.withheld).toMatchObject({ redacted: 1, tooLarge: 2, notComparable: 1 });
  });

  it('give way to newer ones when they wait for long, and those lost at a stop are told by the next run', async () => {
    const bench = new Bench();
    const samples = bench.open({ bytesPerHour: 100_000_000 });
    const bytes = SAMPLE_BYTES_MAX / 2;
    const many = Math.ceil((2 * WAITING_BYTES_MAX) / bytes);
    for (let window = 1; window <= many; window += 1) samples.add(result(window, large(bytes)), {});
    bench.mayGo = false;
    await bench.run(samples);
    expect(bench.windows).toEqual([]);
    bench.mayGo = true;
    const next = bench.open();
    await next.restore();
    next.add(result(many + 1), {});
    await bench.run(next);
    expect(bench.sent[0]?.withheld?.unsent).toBe(many);
  });

  it('begin anew when the file of the last run is damaged', async () => {
    const bench = new Bench();
    bench.files.set('feature-samples.json', '{"hourBytes":-1}');
    const samples = bench.open();
    await samples.restore();
    samples.add(result(1), {});
    await bench.run(samples);
    expect(bench.windows).toEqual([1]);
  });
});
