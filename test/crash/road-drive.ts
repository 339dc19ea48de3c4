/** A process on the vehicle that publishes for as long as the road is: two signals fifty times a second, and pictures that no compression makes smaller. */
import { setInterval as every } from 'node:timers/promises';
import { connectPublisher } from '@fleetloop/edge-agent/publish';
import { seededRandom } from '@fleetloop/sim';
import { type RoadCampaign, SAMPLES } from './road-plan.ts';

const READY_TIMEOUT_MS = 30_000;
const PERIOD_MS = 20;
/** Every third sample comes with one. */
const PICTURE_BYTES = 14_336;
const SAMPLES_PER_PICTURE = 3;

export type RoadDrive = AsyncDisposable & {
  /** Makes the condition of the campaign true for one sample. */
  readonly fire: (campaign: RoadCampaign) => void;
};

/** Publishes to a live agent, and again to the next one after a kill, until it is disposed of. */
export async function driveOnRoad(socketPath: string, seed: number): Promise<RoadDrive> {
  const random = seededRandom(seed);
  const publisher = connectPublisher({ socketPath, name: 'road' });
  const motion = publisher.declareSignals({
    topic: '/vss/Vehicle',
    signals: [
      { path: 'Vehicle.Speed', unit: 'km/h' },
      { path: 'Vehicle.Acceleration.Longitudinal', unit: 'm/s^2' },
    ],
    clock: { kind: 'boot' },
  });
  const camera = publisher.declareChannel({
    topic: '/sensor/front/camera',
    schemaName: 'Jpeg',
    messageEncoding: 'jpeg',
    clock: { kind: 'boot' },
  });
  await publisher.ready(AbortSignal.timeout(READY_TIMEOUT_MS));
  const over = new AbortController();
  const firing: RoadCampaign[] = [];
  const publishing = (async () => {
    let count = 0;
    for await (const _ of every(PERIOD_MS, undefined, { signal: over.signal })) {
      count += 1;
      const [speed, push] = SAMPLES[count % 2 === 0 ? (firing.shift() ?? 'quiet') : 'quiet'];
      const stampNs = process.hrtime.bigint();
      // Never the same value twice: a sensor has noise.
      motion.publish([speed + (count % 7) / 1_000, push + (count % 5) / 1_000], { stampNs });
      if (count % SAMPLES_PER_PICTURE === 0) camera.publish(picture(random.integer), { stampNs });
    }
  })().catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });
  return {
    fire: (campaign) => firing.push(campaign),
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await publishing;
      await publisher.close();
    },
  };
}

function picture(integer: (low: number, high: number) => number): Uint8Array {
  const words = new Uint32Array(PICTURE_BYTES / Uint32Array.BYTES_PER_ELEMENT);
  for (let index = 0; index < words.length; index += 1) words[index] = integer(0, 0xff_ff_ff_ff);
  return new Uint8Array(words.buffer);
}
