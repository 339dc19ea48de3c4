/** The HTTP API from the outside: for the command line, for tests and for the simulated fleet. */
import { setTimeout as delay } from 'node:timers/promises';
import { ERROR_TABLE, type ErrorCode, FleetError } from '@fleetloop/schemas';
import { z } from 'zod';
import { ConnectionFailure, postStream } from './send-stream.ts';

const POLL_INTERVAL_MS = 250;
const ErrorBody = z.object({
  code: z.string().refine((code): code is ErrorCode => code in ERROR_TABLE),
  message: z.string(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
});

export type ApiClientOptions = { readonly url: string; readonly token: string };
type Query = Readonly<Record<string, string | number | undefined>>;
export type CallOptions = { readonly query?: Query; readonly signal?: AbortSignal };

type CallBody = {
  readonly body?: NonNullable<RequestInit['body']>;
  readonly headers?: Readonly<Record<string, string>>;
};

/** How a workflow stands, as GET /v1/workflows/:id answers. */
export type WorkflowState = {
  readonly workflowId: string;
  readonly status: 'running' | 'completed' | 'failed' | 'cancelled';
  readonly progress: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
};

/**
 * Calls the API as the holder of one token. `Result` is the shape that the route is known to answer with.
 * All methods @throws FleetError with the server's own code, or API_UNAVAILABLE when it does not answer
 */
export class ApiClient {
  readonly #url: string;
  readonly #token: string;

  constructor(options: ApiClientOptions) {
    this.#url = options.url.replace(/\/+$/, '');
    this.#token = options.token;
  }

  async get<Result>(path: string, options: CallOptions = {}): Promise<Result> {
    return (await (await this.#call('GET', path, options)).json()) as Result;
  }

  async post<Result>(path: string, body: unknown, options: CallOptions = {}): Promise<Result> {
    const init = { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    return (await (await this.#call('POST', path, options, init)).json()) as Result;
  }

  async delete<Result>(path: string, options: CallOptions = {}): Promise<Result> {
    return (await (await this.#call('DELETE', path, options)).json()) as Result;
  }

  /** Sends bytes as the body, from memory or as a stream, of which each part is used until the next one is asked for. */
  async postBytes<Result>(
    path: string,
    bytes: Uint8Array | AsyncIterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<Result> {
    const headers = { 'content-type': 'application/octet-stream' };
    if (bytes instanceof Uint8Array)
      return (await (await this.#call('POST', path, options, { body: bytes, headers })).json()) as Result;
    const call = { url: this.#urlOf(path, options), headers: this.#authorized(headers), signal: options.signal, bytes };
    const reply = await postStream(call).catch((error: unknown) => {
      throw error instanceof ConnectionFailure ? this.#unavailable(error, options) : error;
    });
    if (!reply.ok) throw await failureOf(reply, `POST ${path}`);
    return (await reply.json()) as Result;
  }

  async getBytes(path: string, options: CallOptions = {}): Promise<Uint8Array> {
    return new Uint8Array(await (await this.#call('GET', path, options)).arrayBuffer());
  }

  /**
   * Waits until a workflow has ended and returns its result.
   * @throws FleetError with the workflow's own code when it failed
   */
  async workflowResult<Result>(
    workflowId: string,
    options: { readonly signal?: AbortSignal; readonly onProgress?: (progress: unknown) => void } = {},
  ): Promise<Result> {
    const { signal, onProgress } = options;
    for (;;) {
      const state = await this.get<WorkflowState>(
        `/v1/workflows/${encodeURIComponent(workflowId)}`,
        signal === undefined ? {} : { signal },
      );
      onProgress?.(state.progress);
      if (state.status === 'completed') return state.result as Result;
      if (state.status !== 'running') throw workflowFailure(state);
      await delay(POLL_INTERVAL_MS, undefined, signal === undefined ? {} : { signal });
    }
  }

  async #call(method: string, path: string, options: CallOptions, init: CallBody = {}): Promise<Response> {
    const reply = await fetch(this.#urlOf(path, options), {
      ...init,
      method,
      headers: this.#authorized(init.headers),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    }).catch((cause: unknown) => {
      throw this.#unavailable(cause, options);
    });
    if (reply.ok) return reply;
    throw await failureOf(reply, `${method} ${path}`);
  }

  #urlOf(path: string, { query = {} }: CallOptions): URL {
    const url = new URL(`${this.#url}${path}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  #authorized(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
    return { ...headers, authorization: `Bearer ${this.#token}` };
  }

  #unavailable(cause: unknown, { signal }: CallOptions): FleetError {
    signal?.throwIfAborted();
    return new FleetError('API_UNAVAILABLE', `the control plane at ${this.#url} does not answer: is it running?`, {
      cause,
    });
  }
}

async function failureOf(reply: Response, call: string): Promise<FleetError> {
  const body = ErrorBody.safeParse(await reply.json().catch(() => undefined));
  if (body.success) return new FleetError(body.data.code, body.data.message, { details: body.data.details });
  return new FleetError('INTERNAL_UNEXPECTED', `${call} was answered with status ${reply.status}`);
}

function workflowFailure(state: WorkflowState): FleetError {
  const code = state.error?.code ?? '';
  const message = state.error?.message ?? `the workflow ${state.workflowId} was ${state.status}`;
  return new FleetError(isErrorCode(code) ? code : 'INTERNAL_UNEXPECTED', message);
}

function isErrorCode(code: string): code is ErrorCode {
  return code in ERROR_TABLE;
}
