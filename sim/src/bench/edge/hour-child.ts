/**
 * An agent as `agent run` composes it, on clocks that pass as fast as it can follow: `hour-child.ts <configuration> <socket>`. Time is
 * the machine's own until SIGUSR2; from then on each period of 10 ms begins when the agent has dealt with the one before.
 */
import { join } from 'node:path';
import type { AgentClock } from '@fleetloop/edge-agent';
import { declareLive, LiveValues, TICKS_PER_PAYLOAD, PERIOD_MS } from './live-workload.ts';
import { connectPublisher } from '@fleetloop/edge-agent/publish';

const RUN_AGENT = join(import.meta.dirname, '../../../../edge-agent/src/processes/run-agent.ts');
const TRIGGER_EVERY_MS = 30_000;
const REAL_STEP_MS = 5;
const NS_PER_MS = 1e6;

type RunAgent = (configPath: string, signal: AbortSignal, clocks: { agent: AgentClock; live: object }) => Promise<void>;
type Timer = { readonly atMs: number; readonly done: () => void };

/** Waits end when time is moved past them, in order. */
class MovedClock implements AgentClock {
  readonly startMs = Date.now();
  #nowMs = 0;
  #timers: Timer[] = [];

  readonly nowMs = (): number => this.startMs + this.#nowMs;
  readonly monotonicMs = (): number => this.#nowMs;
  readonly random = (): number => Math.random();
  readonly monotonicNs = (): bigint => BigInt(Math.round(this.#nowMs * NS_PER_MS));
  readonly wallNs = (): bigint => BigInt(this.startMs) * BigInt(NS_PER_MS) + this.monotonicNs();

  async wait(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = { atMs: this.#nowMs + durationMs, done: resolve };
    this.#timers.push(timer);
    signal?.addEventListener('abort', resolve as () => void, { once: true });
    await promise;
    signal?.removeEventListener('abort', resolve as () => void);
    this.#timers = this.#timers.filter((each) => each !== timer);
  }

  move(byMs: number): void {
    this.#nowMs += byMs;
    for (const { atMs, done } of this.#timers) if (atMs <= this.#nowMs) done();
  }
}

const [, , configPath = '', socketPath = ''] = process.argv;
const clock = new MovedClock();
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
process.once('SIGUSR2', () => begin());
const { runAgent } = (await import(RUN_AGENT)) as { runAgent: RunAgent };
const running = runAgent(configPath, stop.signal, { agent: clock, live: clock });
const inRealTime = setInterval(() => clock.move(REAL_STEP_MS), REAL_STEP_MS);
stop.signal.addEventListener('abort', () => begin());
await begun;
clearInterval(inRealTime);
if (stop.signal.aborted) {
  // Stopped before it began, as for a warm-up.
  const ending = setInterval(() => clock.move(REAL_STEP_MS), REAL_STEP_MS);
  await running;
  clearInterval(ending);
  process.exit();
}

const publisher = connectPublisher({ socketPath, name: 'hour' });
const { signals, camera } = declareLive(publisher);
await publisher.ready();
const values = new LiveValues();
for (let period = 1; !stop.signal.aborted; period += 1) {
  clock.move(PERIOD_MS);
  const stampNs = clock.wallNs();
  const isTrigger = (period * PERIOD_MS) % TRIGGER_EVERY_MS === 0;
  for (const [index, channel] of signals.entries()) channel.publish([values.signal(index, isTrigger)], { stampNs });
  if (period % TICKS_PER_PAYLOAD === 0) camera.publish(values.frame(), { stampNs });
  await publisher.flush();
}
await publisher.close();
await running;
