/**
 * What a live vehicle publishes while the agent is measured: 50 channels of one signal at 100 Hz (5,000 messages a second), and 10
 * camera frames of 100 kB that do not compress. Now and then the speed of one sample is over the limit of the campaign.
 */
import { connectPublisher, type Publisher } from '@fleetloop/edge-agent/publish';
import type { Campaign } from '@fleetloop/schemas';
import { SIGNAL_CHANNELS, SIGNAL_RATE_HZ } from './signal-channels.ts';

export const PAYLOAD_BYTES = 100_000;
export const PAYLOAD_RATE_HZ = 10;
/** Messages of one second of the vehicle. */
export const MESSAGES_PER_S = SIGNAL_CHANNELS.length * SIGNAL_RATE_HZ + PAYLOAD_RATE_HZ;
const PAYLOAD_SOURCE_BYTES = 1_024 * 1_024;
const TRIGGER_KMH = 250;
export const PERIOD_MS = 1_000 / SIGNAL_RATE_HZ;
export const TICKS_PER_PAYLOAD = SIGNAL_RATE_HZ / PAYLOAD_RATE_HZ;
const READY_TIMEOUT_MS = 30_000;
export const CAMERA_TOPIC = '/sensor/front/camera';

export type LiveWork = {
  readonly socketPath: string;
  /** One sample is over the limit each so many ms; 0 never. */
  readonly triggerEveryMs: number;
  /** Turns in which the signals of one period come: 1 is a gateway that reads all at once. */
  readonly turnsPerPeriod: number;
};

export function speedCampaign(preWindowMs: number, postWindowMs: number): Campaign {
  return {
    kind: 'campaign',
    id: 'too-fast',
    version: 1,
    description: 'The moments around a speed that no road allows.',
    owner: 'bench',
    priority: 'normal',
    inputs: [{ kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' }],
    condition: 'speed >= 200.0',
    edge: 'rising',
    preWindowMs,
    postWindowMs,
    cooldownMs: 0,
    eventMsMax: 600_000,
  };
}

/** The values and frames of the vehicle, one after the other. */
export class LiveValues {
  readonly #payloads = randomBytes(PAYLOAD_SOURCE_BYTES);
  readonly #levels = SIGNAL_CHANNELS.map((_, index) => index);
  #frames = 0;

  /** Wanders; 0 where a sample of the first signal would be over the limit by chance. */
  signal(index: number, isTrigger: boolean): number {
    if (index === 0 && isTrigger) return TRIGGER_KMH;
    const level = (this.#levels[index] ?? 0) + (Math.random() - 0.5) * 0.1;
    this.#levels[index] = level;
    return Math.round(Math.min(100, Math.max(0, level)) * 1_000) / 1_000;
  }

  /** Another piece of the same noise each time. */
  frame(): Uint8Array {
    this.#frames += 1;
    const offset = (this.#frames * 7_919) % (PAYLOAD_SOURCE_BYTES - PAYLOAD_BYTES);
    return this.#payloads.subarray(offset, offset + PAYLOAD_BYTES);
  }
}

/** Publishes at the vehicle's own pace until the signal is aborted. */
export async function publishLive(work: LiveWork, signal: AbortSignal): Promise<void> {
  await using publisher = connectPublisher({ socketPath: work.socketPath, name: 'vehicle' });
  const { signals, camera } = declareLive(publisher);
  await publisher.ready(AbortSignal.timeout(READY_TIMEOUT_MS));
  process.stdout.write('ready\n');
  const values = new LiveValues();
  const { turnsPerPeriod, triggerEveryMs } = work;
  const turnMs = PERIOD_MS / turnsPerPeriod;
  const startMs = performance.now();
  for (let turn = 0; !signal.aborted; turn += 1) {
    const waitMs = startMs + turn * turnMs - performance.now();
    if (waitMs > 0.5) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const period = Math.floor(turn / turnsPerPeriod);
    const isTrigger = triggerEveryMs > 0 && (period * PERIOD_MS) % triggerEveryMs === 0 && period > 0;
    const stampNs = BigInt(Date.now()) * 1_000_000n;
    for (let index = turn % turnsPerPeriod; index < signals.length; index += turnsPerPeriod)
      signals[index]?.publish([values.signal(index, isTrigger)], { stampNs });
    if (turn % (TICKS_PER_PAYLOAD * turnsPerPeriod) === 0) camera.publish(values.frame(), { stampNs });
  }
}

/** Publishes as fast as the agent takes it; resolves with the messages that were taken. */
export async function publishFast(
  socketPath: string,
  durationMs: number,
): Promise<{ messages: number; bytes: number }> {
  await using publisher = connectPublisher({ socketPath, name: 'vehicle', whenFull: 'wait' });
  const { signals, camera } = declareLive(publisher);
  await publisher.ready(AbortSignal.timeout(READY_TIMEOUT_MS));
  const values = new LiveValues();
  const untilMs = performance.now() + durationMs;
  let messages = 0;
  let bytes = 0;
  for (let tick = 0; performance.now() < untilMs; tick += 1) {
    for (const [index, channel] of signals.entries()) {
      while (!channel.publish([values.signal(index, false)])) await publisher.drained();
    }
    messages += signals.length;
    bytes += signals.length * 8;
    if (tick % TICKS_PER_PAYLOAD !== 0) continue;
    while (!camera.publish(values.frame())) await publisher.drained();
    messages += 1;
    bytes += PAYLOAD_BYTES;
  }
  await publisher.flush(AbortSignal.timeout(READY_TIMEOUT_MS));
  return { messages, bytes };
}

export function declareLive(publisher: Publisher) {
  return {
    signals: SIGNAL_CHANNELS.map(({ topic, signals, rateHz = SIGNAL_RATE_HZ }) =>
      publisher.declareSignals({ topic, signals, rateHz }),
    ),
    camera: publisher.declareChannel({
      topic: CAMERA_TOPIC,
      schemaName: 'foxglove.CompressedImage',
      messageEncoding: 'jpeg',
      rateHz: PAYLOAD_RATE_HZ,
    }),
  };
}

function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let offset = 0; offset < count; offset += 65_536)
    crypto.getRandomValues(bytes.subarray(offset, offset + 65_536));
  return bytes;
}
