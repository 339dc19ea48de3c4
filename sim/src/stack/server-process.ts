/** Why: "started" is not "answers". A server counts as up when its own health question is answered within a deadline. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { FleetError } from '@fleetloop/schemas';
import { ProcessGroup, type ProcessGroupOptions } from './process-group.ts';
import { reportWhile, type Progress } from './progress.ts';

const POLL_INTERVAL_MS = 100;
const HEALTH_QUESTION_TIMEOUT_MS = 2_000;
const LOG_TAIL_LINES = 20;

export type ServerProcessOptions = ProcessGroupOptions & {
  readonly name: string;
  /** Asks the server whether it serves; false or a rejection means "not yet". */
  readonly isHealthy: (signal: AbortSignal) => Promise<boolean>;
  readonly healthTimeoutMs: number;
  readonly onProgress: Progress;
  readonly signal: AbortSignal;
};

/** What tests do to a server to see who survives it. */
export type ServerControl = {
  /** Process id of the first process, or undefined when the server is not ours. */
  readonly pid: () => number | undefined;
  /** Ends the server at once, as `kill -9` would. */
  readonly kill: () => Promise<void>;
  /** Starts it again with the same port and data, and waits until it answers. */
  readonly restart: () => Promise<void>;
};

/** One local server; disposing it stops it. */
export class ServerProcess implements AsyncDisposable, ServerControl {
  readonly #options: ServerProcessOptions;
  #group: ProcessGroup;
  #isEndExpected = false;

  private constructor(options: ServerProcessOptions, group: ProcessGroup) {
    this.#options = options;
    this.#group = group;
  }

  /**
   * Starts the server and waits until it answers.
   * @throws FleetError `STACK_UNAVAILABLE` with the end of its log
   */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const group = await startGroup(options);
    const server = new ServerProcess(options, group);
    try {
      const up = waitUntilHealthy(options, group);
      await reportWhile(`${options.name}: starting`, up, options.onProgress);
      server.#reportEnd(group);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  readonly pid = (): number => this.#group.pid;

  readonly kill = async (): Promise<void> => {
    this.#isEndExpected = true;
    await this.#group.kill();
  };

  readonly restart = async (): Promise<void> => {
    this.#isEndExpected = true;
    await this.#group.stop();
    this.#group = await startGroup(this.#options);
    await waitUntilHealthy(this.#options, this.#group);
    this.#isEndExpected = false;
    this.#reportEnd(this.#group);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEndExpected = true;
    await this.#group.stop();
  }

  #reportEnd(group: ProcessGroup): void {
    void group.exited.then(({ code, signal }) => {
      if (this.#isEndExpected || this.#group !== group) return;
      this.#options.onProgress(
        `${this.#options.name} ended by itself (${code ?? signal}); log: ${this.#options.logFile}`,
      );
    });
  }
}

async function startGroup(options: ServerProcessOptions): Promise<ProcessGroup> {
  try {
    return await ProcessGroup.start(options);
  } catch (error) {
    throw new FleetError('STACK_UNAVAILABLE', `${options.name} cannot be started: ${String(error)}`, { cause: error });
  }
}

async function waitUntilHealthy(options: ServerProcessOptions, group: ProcessGroup): Promise<void> {
  const deadlineMs = performance.now() + options.healthTimeoutMs;
  while (performance.now() < deadlineMs) {
    options.signal.throwIfAborted();
    if (group.exit !== undefined) throw await notUp(options, `ended with ${group.exit.code ?? group.exit.signal}`);
    if (await asksWell(options)) return;
    await delay(POLL_INTERVAL_MS, undefined, { signal: options.signal });
  }
  throw await notUp(options, `did not answer within ${options.healthTimeoutMs / 1_000} s`);
}

async function asksWell(options: ServerProcessOptions): Promise<boolean> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(HEALTH_QUESTION_TIMEOUT_MS)]);
  return options.isHealthy(signal).catch(() => false);
}

async function notUp(options: ServerProcessOptions, reason: string): Promise<FleetError> {
  const log = await readFile(options.logFile, 'utf8').catch(() => '');
  const tail = log.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  return new FleetError('STACK_UNAVAILABLE', `${options.name} ${reason}; log: ${options.logFile}\n${tail}`);
}
