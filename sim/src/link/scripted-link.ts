/** A TCP proxy on the loopback that behaves as a script says: what an uplink survives is proven on real sockets. */
import { createServer, connect, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { assertNever } from '@fleetloop/schemas';
import { seededRandom } from '../simulation/seeded-random.ts';
import { LinkDirection } from './link-direction.ts';
import type { LinkConditions, LinkEvent, LinkScript } from './link-script.ts';

const LOOPBACK = '127.0.0.1';

export type ScriptedLinkOptions = {
  /** `nats://host:port` or any URL with host and port of what lies behind the link. */
  readonly target: string;
  readonly script: LinkScript;
};

export type DirectionBytes = { readonly onLink: number; readonly delivered: number };
export type LinkCounts = {
  /** From the vehicle. */
  readonly up: DirectionBytes;
  readonly down: DirectionBytes;
  readonly cuts: number;
  readonly connections: number;
};

export class ScriptedLink implements AsyncDisposable {
  readonly #target: URL;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #cutsAtBytes: number[];
  readonly #up: LinkDirection;
  readonly #down: LinkDirection;
  #conditions: LinkConditions;
  #startedAtMs = 0;
  #outages = 0;
  #cuts = 0;
  #connections = 0;

  private constructor({ target, script }: ScriptedLinkOptions) {
    const random = seededRandom(script.seed);
    const conditions = (): LinkConditions => this.#conditions;
    this.#target = new URL(target);
    this.#conditions = script.conditions;
    this.#cutsAtBytes = script.cutsAtBytes.toSorted((left, right) => left - right);
    this.#up = new LinkDirection({ conditions, random, onBytes: (total) => this.#cutAtBytes(total) });
    this.#down = new LinkDirection({ conditions, random, onBytes: () => {} });
    // Without Nagle on either side, as the sockets that it stands between.
    this.#server = createServer({ noDelay: true, allowHalfOpen: false }, (near) => this.#accept(near));
  }

  /** Listens, and starts the clock of the script. */
  static async start(options: ScriptedLinkOptions): Promise<ScriptedLink> {
    const link = new ScriptedLink(options);
    link.#server.listen(0, LOOPBACK);
    await once(link.#server, 'listening');
    link.play(options.script.events);
    return link;
  }

  /** The URL to use instead of the target's. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the scripted link does not listen');
    return `${this.#target.protocol}//${LOOPBACK}:${address.port}`;
  }

  /** Starts the clock, and lets this happen by it. */
  play(events: LinkScript['events']): void {
    this.#startedAtMs = performance.now();
    for (const event of events) this.#after(event.atMs, () => this.#happen(event));
  }

  /** Resolves when the clock of the script is there: what else happens on the way keeps to it. */
  async reached(atMs: number, signal?: AbortSignal): Promise<void> {
    await delay(Math.max(0, this.#startedAtMs + atMs - performance.now()), undefined, { signal });
  }

  counts(): LinkCounts {
    const bytes = (direction: LinkDirection): DirectionBytes => ({
      onLink: direction.onLinkBytes,
      delivered: direction.deliveredBytes,
    });
    return { up: bytes(this.#up), down: bytes(this.#down), cuts: this.#cuts, connections: this.#connections };
  }

  /** Resets all connections; what was on the way is lost. */
  cut(): void {
    this.#cuts += 1;
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    this.#pairs.clear();
  }

  /** Cuts, and lets nothing through until `restore`. */
  interrupt(): void {
    this.#outages += 1;
    this.cut();
  }

  /** Ends an interruption. */
  restore(): void {
    this.#outages -= 1;
  }

  change(conditions: Partial<LinkConditions>): void {
    this.#conditions = { ...this.#conditions, ...conditions };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of [...this.#pairs].flat()) socket.destroy();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  #accept(near: Socket): void {
    near.on('error', () => {});
    if (this.#outages > 0) {
      near.resetAndDestroy();
      return;
    }
    this.#connections += 1;
    const far = connect({ host: this.#target.hostname, port: Number(this.#target.port), noDelay: true });
    far.on('error', () => near.destroy());
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    const end = (): void => {
      near.destroy();
      far.destroy();
      this.#pairs.delete(pair);
    };
    near.once('close', end);
    far.once('close', end);
    // A socket that is reset ends the carrying; that is what the script wants.
    void this.#up.carry(near, far).catch(end);
    void this.#down.carry(far, near).catch(end);
  }

  #happen(event: LinkEvent): void {
    switch (event.kind) {
      case 'cut':
        this.cut();
        break;
      case 'outage':
        this.interrupt();
        this.#after(event.forMs, () => this.restore());
        break;
      case 'silence':
        this.#up.silence(event.forMs);
        this.#down.silence(event.forMs);
        break;
      case 'conditions':
        this.change(event.conditions);
        break;
      default:
        assertNever(event);
    }
  }

  #cutAtBytes(total: number): void {
    const [next] = this.#cutsAtBytes;
    if (next === undefined || total < next) return;
    this.#cutsAtBytes.shift();
    this.cut();
  }

  #after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }
}
