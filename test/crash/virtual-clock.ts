/** Time that passes when it is told to: hours in a second, and the same ones each time. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AgentClock } from '@fleetloop/edge-agent';
import type { SeededRandom } from '@fleetloop/sim';

/** 2027-01-01, ms since the Unix epoch. */
export const WALL_START_MS = 1_798_761_600_000;
/** Turns of the loop after which everything that can happen without time has happened: nothing in the lab waits for threads or sockets. */
const TURNS = 2;

type Timer = { readonly dueMs: number; readonly order: number; readonly wake: () => void };

export class VirtualClock implements AgentClock {
  readonly #random: SeededRandom;
  #timers: Timer[] = [];
  #nowMs = 0;
  #order = 0;
  /** How far the wall clock is from where it would be without steps. */
  #steppedMs = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  nowMs(): number {
    return Math.round(WALL_START_MS + this.#nowMs + this.#steppedMs);
  }
  monotonicMs(): number {
    return this.#nowMs;
  }
  random(): number {
    return this.#random.next();
  }

  async wait(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true || durationMs <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = { dueMs: this.#nowMs + durationMs, order: (this.#order += 1), wake: resolve };
    this.#insert(timer);
    const drop = (): void => {
      this.#timers = this.#timers.filter((each) => each !== timer);
      resolve();
    };
    signal?.addEventListener('abort', drop, { once: true });
    await promise;
    signal?.removeEventListener('abort', drop);
  }

  /** The wall clock is set to another time. */
  stepWall(byMs: number): void {
    this.#steppedMs += byMs;
  }

  /** Lets time pass; whoever waits is woken in order, and finishes before the next one. */
  async pass(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await settled();
    for (let first = this.#timers[0]; first !== undefined && first.dueMs <= untilMs; first = this.#timers[0]) {
      this.#timers.shift();
      this.#nowMs = Math.max(this.#nowMs, first.dueMs);
      first.wake();
      await settled();
    }
    this.#nowMs = untilMs;
  }

  /** Whoever waits waits for ever: the machine has lost its power. */
  stop(): void {
    this.#timers = [];
  }

  #insert(timer: Timer): void {
    let index = this.#timers.length;
    while (index > 0 && (this.#timers[index - 1] as Timer).dueMs > timer.dueMs) index -= 1;
    this.#timers.splice(index, 0, timer);
  }
}

/** Resolves when everything that can happen without time has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await nextTurn();
}
