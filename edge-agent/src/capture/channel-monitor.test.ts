import type { OpaqueChannel, SignalChannel, SourceMessage } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChannelMonitor } from './channel-monitor.ts';

const BASE = 1_700_000_000_000_000_000n;
const MS = 1_000_000n;
const IMU: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle.Acceleration',
  signals: [
    { path: 'Vehicle.Acceleration.Longitudinal', field: 'longitudinal', unit: 'm/s^2' },
    { path: 'Vehicle.Acceleration.Vertical', field: 'vertical', unit: 'm/s^2' },
  ],
  rateHz: 100,
};
const CAMERA: OpaqueChannel = { kind: 'opaque', topic: '/sensor/front/camera', schemaName: 'foxglove.CompressedImage' };

type Sample = {
  readonly atMs: number;
  readonly stampMs?: number;
  readonly sequence?: number;
  readonly values?: readonly number[];
};

/** A value that differs from sample to sample, as a sensor's does. */
const lively = (index: number): number => Math.sin(index * 12.9898) * 43.7585;

function signal(index: number, { atMs, stampMs = atMs, sequence = index, values }: Sample): SourceMessage {
  const at = (ms: number): bigint => BASE + BigInt(Math.round(ms * 1e6));
  const numbers = Float64Array.from(values ?? [lively(index), lively(index + 0.5)]);
  return { kind: 'signal', channel: IMU, sequence, logTimeNs: at(atMs), publishTimeNs: at(stampMs), values: numbers };
}

function frame(index: number, data: Uint8Array): SourceMessage {
  const timeNs = BASE + BigInt(index) * 100n * MS;
  return { kind: 'opaque', channel: CAMERA, sequence: index, logTimeNs: timeNs, publishTimeNs: timeNs, data };
}

function monitorOf(samples: readonly Sample[]): ChannelMonitor {
  const monitor = new ChannelMonitor();
  monitor.startSession([IMU]);
  for (const [index, sample] of samples.entries()) monitor.push(signal(index, sample));
  return monitor;
}

const steady = (count: number, stepMs = 10): Sample[] =>
  Array.from({ length: count }, (_, index) => ({ atMs: index * stepMs }));
const END = BASE + 3_600_000n * MS;

describe('ChannelMonitor', () => {
  it('finds nothing wrong with a channel that keeps its rate', () => {
    const monitor = monitorOf(steady(1_000));
    expect(monitor.quality(BASE, BASE + 9_990n * MS)).toEqual([
      { topic: IMU.topic, expectedRateHz: 100, measuredRateHz: 100 },
    ]);
    expect(monitor.report()).toEqual([]);
  });

  it('measures the rate of a channel that declares none', () => {
    const monitor = new ChannelMonitor();
    monitor.startSession([]);
    for (let index = 0; index < 100; index += 1) monitor.push(frame(index, Uint8Array.of(index)));
    const [quality] = monitor.quality(BASE, END);
    expect(quality?.expectedRateHz).toBeCloseTo(10, 6);
    expect(quality?.measuredRateHz).toBeCloseTo(10, 6);
  });

  it('reports a declared channel that never came and one that went silent', () => {
    const monitor = new ChannelMonitor();
    const missing = { ...IMU, topic: '/vss/Vehicle.AngularVelocity' };
    monitor.startSession([IMU, missing]);
    for (const [index, sample] of steady(100).entries()) monitor.push(signal(index, sample));
    monitor.tick(BASE + 5_000n * MS);
    expect(monitor.report().map(({ topic, finding }) => `${topic} ${finding}`)).toEqual([
      '/vss/Vehicle.AngularVelocity silent',
      '/vss/Vehicle.Acceleration silent',
    ]);
  });

  it('reports a channel that comes at half its rate as slow', () => {
    const monitor = monitorOf(steady(1_000, 20));
    expect(monitor.report().map(({ finding }) => finding)).toContain('slow');
  });

  it('counts repetitions and stamps that go back, once each, and goes on after them', () => {
    const samples: Sample[] = steady(100);
    const repeated = { atMs: 1_000, stampMs: 990, sequence: 99, values: [lively(99), lively(99.5)] };
    const late = { atMs: 1_005, stampMs: 500, sequence: 50 };
    const monitor = monitorOf([...samples, repeated, late, { atMs: 1_010 }, { atMs: 1_020 }]);
    const [quality] = monitor.quality(BASE, END);
    expect(quality).toMatchObject({ duplicates: 1, outOfOrder: 1 });
    expect(monitor.quality(BASE, BASE + 900n * MS)[0]).not.toHaveProperty('duplicates');
  });

  it('finds a signal of a lively channel that stands still, names it, and closes it when it moves again', () => {
    const stuck = (index: number): number => (index >= 500 && index < 900 ? 9.81 : lively(index + 0.5));
    const samples = steady(1_000).map((sample, index) => ({ ...sample, values: [lively(index), stuck(index)] }));
    const during = monitorOf(samples.slice(0, 800));
    expect(during.report()).toMatchObject([
      { finding: 'frozen', detail: 'Vehicle.Acceleration.Vertical stands still' },
    ]);
    const [quality] = monitorOf(samples).quality(BASE, END);
    expect(quality?.frozen).toEqual([
      { path: 'Vehicle.Acceleration.Vertical', fromNs: String(BASE + 5_000n * MS), toNs: String(BASE + 9_000n * MS) },
    ]);
  });

  it('does not call a held, a quantised or a zero value frozen', () => {
    const held = steady(1_000).map((sample, index) => ({ ...sample, values: [Math.floor(index / 40), 0] }));
    const standing = steady(2_000).map((sample, index) => ({
      ...sample,
      values: [index < 600 ? lively(index) : 0, lively(index)],
    }));
    for (const samples of [held, standing])
      expect(monitorOf(samples).quality(BASE, END)[0]).not.toHaveProperty('frozen');
  });

  it('finds a camera that sends the same frame again and again, also when the source uses its buffer again', () => {
    const monitor = new ChannelMonitor();
    monitor.startSession([]);
    const buffer = new Uint8Array(64);
    for (let index = 0; index < 200; index += 1) {
      buffer.fill(Math.min(index, 100));
      monitor.push(frame(index, buffer));
    }
    expect(monitor.report()).toMatchObject([
      { topic: CAMERA.topic, finding: 'frozen', detail: 'the payload stands still' },
    ]);
  });

  it('logs a gap of more than three periods', () => {
    const monitor = monitorOf([...steady(100), { atMs: 1_500 }, { atMs: 1_510 }]);
    expect(monitor.report()).toMatchObject([{ finding: 'gaps', count: 1 }]);
  });

  it('counts each fault that is put into a stream, whatever the stream', () => {
    const fault = fc.constantFrom('none', 'none', 'none', 'duplicate', 'late');
    fc.assert(
      fc.property(fc.array(fault, { minLength: 20, maxLength: 300 }), (faults) => {
        const monitor = new ChannelMonitor();
        monitor.startSession([IMU]);
        let sequence = 0;
        for (const [index, kind] of faults.entries()) {
          const atMs = index * 10;
          if (kind === 'none' || sequence < 2) monitor.push(signal(sequence++, { atMs }));
          else if (kind === 'late') monitor.push(signal(sequence - 2, { atMs, stampMs: -1_000 }));
          else {
            // The last good message once more.
            const stamp = lastGood(faults, index) * 10;
            monitor.push(signal(sequence - 1, { atMs, stampMs: stamp }));
          }
        }
        const [quality] = monitor.quality(BASE, END);
        const expected = expectedCounts(faults);
        expect([quality?.duplicates ?? 0, quality?.outOfOrder ?? 0]).toEqual([expected.duplicate, expected.late]);
      }),
    );
  });
});

function lastGood(faults: readonly string[], before: number): number {
  for (let index = before - 1; index >= 0; index -= 1) if (goods(faults).has(index)) return index;
  return 0;
}

function goods(faults: readonly string[]): ReadonlySet<number> {
  const found = new Set<number>();
  for (const [index, kind] of faults.entries()) if (kind === 'none' || found.size < 2) found.add(index);
  return found;
}

function expectedCounts(faults: readonly string[]): { readonly duplicate: number; readonly late: number } {
  const good = goods(faults);
  const count = (kind: string): number => faults.filter((each, index) => each === kind && !good.has(index)).length;
  return { duplicate: count('duplicate'), late: count('late') };
}
