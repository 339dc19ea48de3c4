/** Whatever a publisher sends, the agent answers, drops or cuts; it neither fails nor grows. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type ToPublisher, ToAgentSchema, ToPublisherSchema } from '@fleetloop/schemas/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameSplitter, toFrame } from '../publish/publish-frames.ts';
import type { ClockPair } from './clock-session.ts';
import { type ConnectionEffect, LiveConnection } from './live-connection.ts';
import { LiveIntake } from './live-intake.ts';
import { LiveConfig } from './live-limits.ts';
import { LiveSource } from './live-source.ts';

type Kind = NonNullable<MessageInitShape<typeof ToAgentSchema>['kind']>;
type Answer = ToPublisher['kind'];

const MS = 1_000_000n;
const frame = (kind: Kind): Uint8Array => toFrame(toBinary(ToAgentSchema, create(ToAgentSchema, { kind })));
const hello = frame({ case: 'hello', value: { protocolVersion: 1, publisher: 'unit' } });
const speed = (channel: number, unit = 'm/s', topic = '/vss/Vehicle'): Uint8Array =>
  frame({
    case: 'declare',
    value: { channel, topic, form: { case: 'signals', value: { signals: [{ path: 'Vehicle.Speed', unit }] } } },
  });
const picture = (channel: number): Uint8Array =>
  frame({
    case: 'declare',
    value: {
      channel,
      topic: '/sensor/front/camera',
      form: { case: 'opaque', value: { schemaName: 'Jpeg', messageEncoding: 'jpeg' } },
    },
  });
const publish = (
  ...entries: { channel: number; values?: number[]; data?: Uint8Array; sequence?: bigint }[]
): Uint8Array => frame({ case: 'publish', value: { entries } });

const LIMITS = { windowMessages: 8, windowBytes: 4_096, messageBytesMax: 2_048, channelsPerPublisherMax: 3 };

/** An intake with clocks that stand still until they are moved. */
function bench(limits: object = LIMITS, config: object = {}) {
  const now = { monotonic: 1_000_000_000n };
  const clocks: ClockPair = {
    monotonicNs: () => now.monotonic,
    wallNs: () => 1_700_000_000_000_000_000n + now.monotonic,
  };
  const intake = new LiveIntake({ config: LiveConfig.parse({ limits, ...config }), clocks, bootId: 'boot' });
  const released: ConnectionEffect[] = [];
  const connect = (): LiveConnection => new LiveConnection(intake, (effects) => released.push(...effects));
  return { now, intake, connect, released, source: new LiveSource(intake) };
}

function answers(effects: readonly ConnectionEffect[]): Answer[] {
  const found: Answer[] = [];
  for (const effect of effects) {
    if (effect.kind !== 'send') continue;
    new FrameSplitter(65_536).push(effect.frame, (each) => found.push(fromBinary(ToPublisherSchema, each).kind));
  }
  return found;
}

const codes = (effects: readonly ConnectionEffect[]): string[] =>
  answers(effects).flatMap((answer) => (answer.case === 'refused' ? [answer.value.code] : []));

describe('LiveConnection', () => {
  it('welcomes, accepts channels and takes messages in the unit of the catalogue', async () => {
    const { connect, now, source } = bench();
    const connection = connect();
    expect(answers(connection.receive(hello, now.monotonic))).toMatchObject([{ case: 'welcome' }]);
    expect(answers(connection.receive(speed(0), now.monotonic))).toMatchObject([{ case: 'accepted' }]);
    connection.receive(
      publish({ channel: 0, values: [10] }, { channel: 0, values: [20], sequence: 7n }),
      now.monotonic,
    );
    const drive = await source.next(new AbortController().signal);
    expect(drive?.session).toBe('live/boot/1000000000');
    expect(drive?.channels.map(({ topic }) => topic)).toEqual(['/vss/Vehicle']);
    const batches = drive?.batches();
    const batch = (await batches?.[Symbol.asyncIterator]().next())?.value;
    expect(batch).toMatchObject([
      { kind: 'signal', sequence: 0, values: Float64Array.of(36) },
      { kind: 'signal', sequence: 7, values: Float64Array.of(72) },
    ]);
  });

  it.each([
    ['an unknown path', { path: 'Vehicle.Spede', unit: 'm/s' }, 'SIGNAL_UNKNOWN'],
    ['a unit of another dimension', { path: 'Vehicle.Speed', unit: 'V' }, 'UNIT_UNKNOWN'],
    ['a path outside of the topic', { path: 'Vehicle.Cabin', unit: '' }, 'SIGNAL_UNKNOWN'],
  ])('refuses %s and goes on', (_, signal, code) => {
    const { connect, now } = bench();
    const connection = connect();
    connection.receive(hello, now.monotonic);
    const form = { case: 'signals' as const, value: { signals: [signal] } };
    const wrong = frame({ case: 'declare', value: { channel: 0, topic: '/vss/Vehicle', form } });
    expect(codes(connection.receive(wrong, now.monotonic))).toEqual([code]);
    expect(answers(connection.receive(speed(0), now.monotonic))).toMatchObject([{ case: 'accepted' }]);
  });

  it('refuses a topic in another form, a reserved one, one channel too many and a wrong clock', () => {
    const { connect, now } = bench();
    const [first, second] = [connect(), connect()];
    for (const connection of [first, second]) connection.receive(hello, now.monotonic);
    first.receive(speed(0), now.monotonic);
    expect(codes(second.receive(speed(0, 'km/h'), now.monotonic))).toEqual([]);
    const other = frame({
      case: 'declare',
      value: {
        channel: 1,
        topic: '/vss/Vehicle',
        form: { case: 'signals', value: { signals: [{ path: 'Vehicle.TripMeterReading' }] } },
      },
    });
    expect(codes(second.receive(other, now.monotonic))).toEqual(['PUBLISH_CHANNEL']);
    const opaque = { case: 'opaque' as const, value: { schemaName: 'X', messageEncoding: 'json' } };
    const own = frame({ case: 'declare', value: { channel: 1, topic: '/agent/health', form: opaque } });
    expect(codes(second.receive(own, now.monotonic))).toEqual(['PUBLISH_CHANNEL']);
    const clocked = frame({
      case: 'declare',
      value: { channel: 1, topic: '/x', clock: '{"kind":"moon"}', form: opaque },
    });
    expect(codes(second.receive(clocked, now.monotonic))).toEqual(['CLOCK_INVALID']);
    const more = ['/a', '/b', '/c'].map((topic, index) =>
      codes(
        second.receive(frame({ case: 'declare', value: { channel: 5 + index, topic, form: opaque } }), now.monotonic),
      ),
    );
    expect(more).toEqual([[], [], ['PUBLISH_LIMIT']]);
  });

  it('takes no more than the credit, tells it once a second and cuts who goes on', () => {
    const { connect, now, intake } = bench();
    const connection = connect();
    connection.receive(hello, now.monotonic);
    connection.receive(speed(0), now.monotonic);
    const flood = publish(...Array.from({ length: 20 }, () => ({ channel: 0, values: [1] })));
    expect(codes(connection.receive(flood, now.monotonic))).toEqual(['PUBLISH_LIMIT']);
    expect(codes(connection.receive(flood, now.monotonic + 10n * MS))).toEqual([]);
    expect(connection.counters).toEqual({ taken: 8, dropped: 32 });
    expect(intake.counters()).toEqual([{ topic: '/vss/Vehicle', taken: 8, dropped: 32, refused: 0 }]);
    const effects = connection.receive(flood, now.monotonic + 20n * MS);
    expect(effects.at(-1)).toMatchObject({ kind: 'cut', error: { code: 'PUBLISH_LIMIT' } });
    expect(connection.receive(flood, now.monotonic + 30n * MS)).toEqual([]);
  });

  it('gives credit back when the messages were dealt with', async () => {
    const { connect, now, released, source } = bench();
    const connection = connect();
    connection.receive(hello, now.monotonic);
    connection.receive(speed(0), now.monotonic);
    connection.receive(publish(...Array.from({ length: 8 }, () => ({ channel: 0, values: [1] }))), now.monotonic);
    const drive = await source.next(new AbortController().signal);
    const batches = drive?.batches()[Symbol.asyncIterator]();
    expect((await batches?.next())?.value).toHaveLength(8);
    expect(released).toEqual([]);
    void batches?.next();
    await expect.poll(() => answers(released)).toMatchObject([{ case: 'credit', value: { messages: 8 } }]);
    connection.receive(publish({ channel: 0, values: [1] }), now.monotonic + MS);
    expect(connection.counters.taken).toBe(9);
  });

  it('drops what is over the rate of a topic and reads a publisher over its own rate more slowly', () => {
    const limits = { ...LIMITS, windowMessages: 1_000, windowBytes: 100_000, connection: { messagesPerS: 100 } };
    const { connect, now, intake } = bench({ ...limits, topics: { '/vss/Vehicle': { messagesPerS: 10 } } });
    const connection = connect();
    connection.receive(hello, now.monotonic);
    connection.receive(speed(0), now.monotonic);
    const burst = publish(...Array.from({ length: 150 }, () => ({ channel: 0, values: [1] })));
    const effects = connection.receive(burst, now.monotonic);
    expect(codes(effects)).toEqual(['PUBLISH_LIMIT']);
    expect(effects.at(-1)).toEqual({ kind: 'pause', durationMs: 500 });
    expect(intake.counters()).toMatchObject([{ taken: 10, dropped: 140 }]);
  });

  it('refuses payloads that are not what the channel declares', () => {
    const { connect, now, intake } = bench();
    const connection = connect();
    connection.receive(hello, now.monotonic);
    connection.receive(speed(0), now.monotonic);
    connection.receive(picture(1), now.monotonic);
    const wrong = [
      publish({ channel: 0, values: [1, 2] }),
      publish({ channel: 0, data: new Uint8Array(8) }),
      publish({ channel: 1, values: [1] }),
      publish({ channel: 1, data: new Uint8Array(2_100) }),
      publish({ channel: 2, values: [1] }),
    ];
    const found = wrong.map((each, index) =>
      codes(connection.receive(each, now.monotonic + BigInt(index) * 2_000n * MS)),
    );
    expect(found.flat()).toEqual([
      'PUBLISH_MALFORMED',
      'PUBLISH_MALFORMED',
      'PUBLISH_MALFORMED',
      'PUBLISH_LIMIT',
      'PUBLISH_CHANNEL',
    ]);
    expect(intake.queue.length).toBe(1);
  });

  it('keeps a place for a publisher that is gone until its messages are taken', async () => {
    const { connect, now, source } = bench({ ...LIMITS, connectionsMax: 1 });
    const connection = connect();
    connection.receive(hello, now.monotonic);
    connection.receive(speed(0), now.monotonic);
    connection.receive(publish({ channel: 0, values: [1] }), now.monotonic);
    connection.close();
    expect(() => connect()).toThrow(expect.objectContaining({ code: 'PUBLISH_LIMIT' }));
    const drive = await source.next(new AbortController().signal);
    const batches = drive?.batches()[Symbol.asyncIterator]();
    await batches?.next();
    await batches?.return?.();
    expect(() => connect()).not.toThrow();
  });

  it('begins a session at the mark of a publisher that may, behind what came before', async () => {
    const { connect, now, source } = bench(LIMITS, { markers: ['unit'], attributes: { place: 'yard' } });
    const connection = connect();
    connection.receive(hello, now.monotonic);
    connection.receive(speed(0), now.monotonic);
    connection.receive(publish({ channel: 0, values: [1] }), now.monotonic);
    now.monotonic += 5n * MS;
    connection.receive(frame({ case: 'mark', value: { name: 'ignition', attributes: { key: 'on' } } }), now.monotonic);
    connection.receive(publish({ channel: 0, values: [2] }), now.monotonic);
    const signal = new AbortController().signal;
    const seen: unknown[] = [];
    for (let index = 0; index < 2; index += 1) {
      const drive = await source.next(signal);
      const batches = drive?.batches()[Symbol.asyncIterator]();
      const first = (await batches?.next())?.value as readonly { sequence: number }[];
      seen.push([drive?.session, drive?.attributes, first.map(({ sequence }) => sequence)]);
      if (index === 0) expect((await batches?.next())?.done).toBe(true);
    }
    expect(seen).toEqual([
      ['live/boot/1000000000', { place: 'yard' }, [0]],
      ['live/boot/1005000000', { place: 'yard', key: 'on', mark: 'ignition' }, [0]],
    ]);
    const stranger = bench().connect();
    stranger.receive(hello, now.monotonic);
    expect(codes(stranger.receive(frame({ case: 'mark', value: { name: 'x' } }), now.monotonic))).toEqual([
      'FORBIDDEN',
    ]);
  });

  it('answers, drops or cuts whatever comes, in whatever pieces', () => {
    const valid = [
      hello,
      speed(0),
      speed(1, 'km/h', '/sensor/front/speed'),
      picture(2),
      publish({ channel: 0, values: [1] }, { channel: 2, data: new Uint8Array(300) }),
      frame({ case: 'ping', value: { id: 1n } }),
      frame({ case: 'mark', value: { name: 'm' } }),
    ];
    const mutated = fc
      .tuple(fc.constantFrom(...valid), fc.nat(), fc.nat(255), fc.boolean())
      .map(([bytes, at, byte, isCut]) => {
        const copy = bytes.slice();
        copy[at % copy.length] = byte;
        return isCut ? copy.subarray(0, at % copy.length) : copy;
      });
    const part = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...valid.slice(1)) },
      { weight: 2, arbitrary: mutated },
      fc.uint8Array({ maxLength: 64 }),
    );
    const seen = { cut: 0, taken: 0 };
    fc.assert(
      fc.property(fc.array(part, { maxLength: 25 }), fc.boolean(), (parts, isGreeted) => {
        const { connect, intake, now } = bench();
        const connection = connect();
        if (isGreeted) for (const bytes of [hello, speed(0)]) connection.receive(bytes, now.monotonic);
        for (const bytes of parts) {
          now.monotonic += MS;
          for (const effect of connection.receive(bytes, now.monotonic)) {
            if (effect.kind !== 'cut') continue;
            seen.cut += 1;
            expect(effect.error.code).toMatch(/^PUBLISH_/);
          }
        }
        expect(intake.queue.length).toBeLessThanOrEqual(LIMITS.windowMessages + 1);
        seen.taken += connection.counters.taken;
        connection.close();
        intake.queue.takeSession();
        intake.queue.takeMessages(100).forEach(({ owner, sizeBytes }) => owner.released(1, sizeBytes));
        expect([...intake.channels.topics.values()].every(({ bindings }) => bindings === 0)).toBe(true);
      }),
      { numRuns: 500 },
    );
    expect(seen.cut).toBeGreaterThan(50);
    expect(seen.taken).toBeGreaterThan(50);
  });
});
