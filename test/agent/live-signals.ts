/** Why: a live agent needs somebody who publishes for as long as a test asks; here it is the test itself, over the real socket. */
import { setInterval as every } from 'node:timers/promises';
import { connectPublisher, type Publisher, type PublisherChannel } from '@fleetloop/edge-agent/publish';

const READY_TIMEOUT_MS = 30_000;
const PERIOD_MS = 20;

export type LiveSpeed = AsyncDisposable & {
  readonly publisher: Publisher;
  readonly channel: PublisherChannel;
  /** Published 50 times a second until it is set again, km/h. */
  set: (speedKmh: number) => void;
  /** Nothing is published until `set` is called. */
  pause: () => void;
};

/** Publishes `Vehicle.Speed` until it is disposed of. */
export async function publishSpeed(socketPath: string, rateHz?: number): Promise<LiveSpeed> {
  const publisher = connectPublisher({ socketPath, name: 'speed' });
  const channel = publisher.declareSignals({
    topic: '/vss/Vehicle',
    signals: [{ path: 'Vehicle.Speed', unit: 'km/h' }],
    clock: { kind: 'boot' },
    ...(rateHz === undefined ? {} : { rateHz }),
  });
  await publisher.ready(AbortSignal.timeout(READY_TIMEOUT_MS));
  const over = new AbortController();
  let speed: number | undefined = 10;
  let count = 0;
  const publishing = (async () => {
    for await (const _ of every(PERIOD_MS, undefined, { signal: over.signal })) {
      if (speed === undefined) continue;
      // Never the same value twice: a sensor has noise.
      count += 1;
      channel.publish([speed + (count % 7) / 1_000], { stampNs: process.hrtime.bigint() });
    }
  })().catch(() => {});
  return {
    publisher,
    channel,
    set: (speedKmh) => {
      speed = speedKmh;
    },
    pause: () => {
      speed = undefined;
    },
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await publishing;
      await publisher.close();
    },
  };
}
