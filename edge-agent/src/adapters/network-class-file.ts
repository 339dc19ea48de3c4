/** The network class that a hook of the operating system writes into a file, looked at each second. */
import type { AgentClock, AgentLogger } from '../ports.ts';
import { type NetworkClass, type NetworkClassSource, parseNetworkClass } from '../uplink/network-class.ts';
import { WatchedFile } from './watched-file.ts';

const LOOK_INTERVAL_MS = 1_000;

export type NetworkClassFileOptions = {
  readonly path: string;
  /** Holds until the file is there. */
  readonly initial: NetworkClass;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
};

export class NetworkClassFile implements NetworkClassSource {
  readonly #options: NetworkClassFileOptions;
  readonly #file: WatchedFile;
  readonly #listeners: (() => void)[] = [];
  #current: NetworkClass;

  constructor(options: NetworkClassFileOptions) {
    this.#options = options;
    this.#file = new WatchedFile(options.path);
    this.#current = options.initial;
  }

  current = (): NetworkClass => this.#current;

  onChange = (listener: () => void): void => {
    this.#listeners.push(listener);
  };

  /** Looks at the file until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look();
      await this.#options.clock.wait(LOOK_INTERVAL_MS, signal);
    }
  }

  /** Looks once. */
  async look(): Promise<void> {
    const text = await this.#file.changed();
    const next = text === undefined ? this.#current : parseNetworkClass(text);
    if (next === this.#current) return;
    this.#options.logger.info({ from: this.#current, to: next }, 'uplink.network.changed');
    this.#current = next;
    for (const listener of this.#listeners) listener();
  }
}
