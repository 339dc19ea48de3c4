/** Answers vehicles that fetch the blobs of their bundles, a part at a time, so that a broken link resumes where it was. */
import { headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { CHUNK_SIZE_BYTES_MAX, FleetError, parseDigest, subjects, vehicleOfSubject } from '@fleetloop/schemas';
import { open } from 'node:fs/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { BundleAccess } from '../assign/bundle-access.ts';
import type { BlobStore } from '../ports.ts';

/** Processes of the API role share the requests. */
const QUEUE = 'install-fetch';
const SIZE_HEADER = 'Fleet-Size';
const ERROR_HEADER = 'Fleet-Error';
const FetchRequest = z.strictObject({ digest: z.string(), offset: z.int().min(0) });

export type BlobFetchParts = {
  readonly connection: NatsConnection;
  readonly blobs: BlobStore;
  readonly access: BundleAccess;
  readonly logger: Logger;
};

/** Serves until the connection drains. */
export async function serveBlobFetch(parts: BlobFetchParts): Promise<void> {
  for await (const message of parts.connection.subscribe(subjects.fetchAll, { queue: QUEUE })) {
    try {
      await answer(parts, message);
    } catch (error) {
      const failure = FleetError.from(error);
      parts.logger.warn({ err: failure, vehicleId: vehicleOfSubject(message.subject) }, 'install.fetch.refused');
      const reply = headers();
      reply.set(ERROR_HEADER, failure.code);
      message.respond(new TextEncoder().encode(failure.message), { headers: reply });
    }
  }
}

async function answer({ blobs, access }: BlobFetchParts, message: Msg): Promise<void> {
  const request = FetchRequest.safeParse(parseJson(message.string()));
  if (!request.success) throw new FleetError('REQUEST_INVALID', 'ask with {"digest": "sha256:…", "offset": n}');
  const digest = parseDigest(request.data.digest);
  await access.check(vehicleOfSubject(message.subject), digest);
  const { bytes, sizeBytes } = await readPart(await blobs.pathOf(digest), request.data.offset);
  const reply = headers();
  reply.set(SIZE_HEADER, String(sizeBytes));
  message.respond(bytes, { headers: reply });
}

async function readPart(
  path: string,
  offset: number,
): Promise<{ readonly bytes: Uint8Array; readonly sizeBytes: number }> {
  await using file = await open(path, 'r');
  const { size: sizeBytes } = await file.stat();
  const bytes = new Uint8Array(Math.max(0, Math.min(CHUNK_SIZE_BYTES_MAX, sizeBytes - offset)));
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return { bytes: bytes.subarray(0, filled), sizeBytes };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
