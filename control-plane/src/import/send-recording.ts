/** Sends a recording to the API of a control plane; a large one goes on where a former attempt stopped, also of a former process. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Digest, FleetError } from '@fleetloop/schemas';
import type { ImportOutcome } from '../ingest/ports.ts';
import { counted } from './counted-bytes.ts';
import type { ImportTarget, KnownRecording, RecordingToSend, SendOrder } from './import-run.ts';

/** A smaller recording is cheaper to send again than to ask about. */
export const RESUMABLE_BYTES_MIN = 8 * 1024 * 1024;
/** Attempts in a row that bring nothing further. */
const ATTEMPTS_MAX = 6;
const RETRY_DELAY_MS_MIN = 500;
const RETRY_DELAY_MS_MAX = 8_000;

type Query = Readonly<Record<string, string | number | undefined>>;

/** The calls that are made, by whoever holds the connection. */
export type ImportClient = {
  get<Result>(path: string, options?: { readonly query?: Query; readonly signal?: AbortSignal }): Promise<Result>;
  post<Result>(path: string, body: unknown): Promise<Result>;
  delete<Result>(path: string, options?: { readonly query?: Query }): Promise<Result>;
  postBytes<Result>(
    path: string,
    bytes: AsyncIterable<Uint8Array>,
    options: { readonly query?: Query; readonly signal?: AbortSignal },
  ): Promise<Result>;
};

export type SendParts = {
  readonly client: () => Promise<ImportClient>;
  /** Bytes of a file from `fromByte` on; each piece is good until the next one is asked for. */
  readonly read: (path: string, fromByte: number) => AsyncIterable<Uint8Array>;
};

/** A control plane behind its API. */
export function apiTarget(parts: SendParts): ImportTarget {
  return {
    find: async (key) =>
      (await parts.client()).get<KnownRecording>(`/v1/imports/known/${encodeURIComponent(key)}`).catch(ifNotFound),
    assignLabel: async (recording, label) => {
      await (await parts.client()).post(`/v1/recordings/${encodeURIComponent(recording)}/labels`, label);
    },
    send: async (recording, order) => sendRecording(recording, order, parts),
  };
}

async function sendRecording(recording: RecordingToSend, order: SendOrder, parts: SendParts): Promise<ImportOutcome> {
  const isResumable = recording.sizeBytes >= RESUMABLE_BYTES_MIN;
  let furthest = 0;
  for (let attempt = 1; ; attempt += 1) {
    order.signal.throwIfAborted();
    try {
      const fromByte = isResumable ? await receivedBytes(recording.digest, parts) : 0;
      if (fromByte > furthest) attempt = 1;
      furthest = Math.max(furthest, fromByte);
      return await sendFrom(Math.min(fromByte, recording.sizeBytes), recording, order, parts);
    } catch (error) {
      order.signal.throwIfAborted();
      const failure = FleetError.from(error);
      if (attempt >= ATTEMPTS_MAX || !mayWorkAgain(failure, isResumable && furthest > 0)) throw failure;
    }
    await delay(Math.min(RETRY_DELAY_MS_MAX, RETRY_DELAY_MS_MIN * 2 ** (attempt - 1)), undefined, {
      signal: order.signal,
    });
  }
}

async function sendFrom(
  fromByte: number,
  { path, digest }: RecordingToSend,
  { importKey, label, signal, onBytes }: SendOrder,
  { client, read }: SendParts,
): Promise<ImportOutcome> {
  const bytes = counted(read(path, fromByte), (taken) => onBytes(fromByte + taken));
  const query = { importKey, upload: digest, from: fromByte, label: label?.label, method: label?.method };
  return (await client()).postBytes<ImportOutcome>('/v1/imports', bytes, { query, signal });
}

async function receivedBytes(digest: Digest, { client }: SendParts): Promise<number> {
  const answer = await (await client()).get<{ receivedBytes: number }>(
    `/v1/imports/uploads/${encodeURIComponent(digest)}`,
  );
  return answer.receivedBytes;
}

/** A part that a power cut damaged at the other end shows in the digest of the whole: then all of it is sent once more. */
function mayWorkAgain({ code, retryable }: FleetError, isContinued: boolean): boolean {
  if (code === 'INGEST_RECORDING_DIGEST') return isContinued;
  return retryable || code === 'API_UNAVAILABLE' || code === 'INGEST_UPLOAD_OFFSET';
}

function ifNotFound(error: unknown): undefined {
  if (error instanceof FleetError && error.code === 'NOT_FOUND') return undefined;
  throw error;
}
