/** Fetches the blobs of bundles over the vehicle's link, piece by piece, going on where a broken link left off. */
import { createHash } from 'node:crypto';
import { ERROR_TABLE, FleetError, subjects, type VehicleId } from '@fleetloop/schemas';
import type { AgentClock, BlobFetcher, VehicleLink } from '../ports.ts';

const REQUEST_TIMEOUT_MS = 5_000;
/** Failed requests in a row before the fetch is given up; the install stage asks again. */
const FAILURES_MAX = 12;
const RETRY_WAIT_MS = 250;
const RETRY_WAIT_MS_MAX = 5_000;

export type LinkBlobFetcherOptions = {
  readonly vehicleId: VehicleId;
  readonly link: VehicleLink;
  readonly clock: AgentClock;
};

type Piece = { readonly bytes: Uint8Array; readonly totalBytes: number };

export class LinkBlobFetcher implements BlobFetcher {
  readonly #options: LinkBlobFetcherOptions;

  constructor(options: LinkBlobFetcherOptions) {
    this.#options = options;
  }

  async fetch(digest: string, sizeBytesMax: number, signal?: AbortSignal): Promise<Uint8Array> {
    let blob = new Uint8Array(0);
    let filled = 0;
    let failures = 0;
    do {
      try {
        const { bytes, totalBytes } = await this.#request(digest, filled);
        if (totalBytes > sizeBytesMax)
          throw new FleetError(
            'PACKAGE_DIGEST',
            `blob ${digest} has ${totalBytes} bytes, more than the ${sizeBytesMax} that its bundle allows`,
          );
        if (filled === 0) blob = new Uint8Array(totalBytes);
        if (bytes.length === 0 || totalBytes !== blob.length || filled + bytes.length > totalBytes) {
          throw new FleetError(
            'INSTALL_FETCH',
            `the control plane sent ${bytes.length} bytes at ${filled} of ${totalBytes} of blob ${digest}`,
          );
        }
        blob.set(bytes, filled);
        filled += bytes.length;
        failures = 0;
      } catch (error) {
        failures += 1;
        await this.#afterFailure(digest, FleetError.from(error, 'INSTALL_FETCH'), failures, signal);
      }
    } while (filled < blob.length || blob.length === 0);
    return checked(digest, blob);
  }

  async #afterFailure(
    digest: string,
    error: FleetError,
    failures: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (signal?.aborted === true)
      throw new FleetError('INSTALL_FETCH', `the fetch of blob ${digest} was stopped`, { cause: error });
    if (!error.retryable || failures >= FAILURES_MAX) throw error;
    const { clock } = this.#options;
    const stepMs = Math.min(RETRY_WAIT_MS_MAX, RETRY_WAIT_MS * 2 ** (failures - 1));
    await clock.wait(stepMs * (0.5 + clock.random() / 2), signal);
  }

  async #request(digest: string, offset: number): Promise<Piece> {
    const { link, vehicleId } = this.#options;
    const query = new TextEncoder().encode(JSON.stringify({ digest, offset }));
    const reply = await link.request(subjects.fetch(vehicleId), query, REQUEST_TIMEOUT_MS).catch((error: unknown) => {
      throw new FleetError('INSTALL_FETCH', `blob ${digest} could not be fetched: ${FleetError.from(error).message}`, {
        cause: error,
      });
    });
    const refusal = reply.headers['Fleet-Error'];
    if (refusal !== undefined && refusal !== '') throw refused(digest, refusal);
    const totalBytes = Number(reply.headers['Fleet-Size']);
    if (!Number.isSafeInteger(totalBytes) || totalBytes < 1)
      throw new FleetError('INSTALL_FETCH', `the answer for blob ${digest} has no valid Fleet-Size`);
    return { bytes: reply.payload, totalBytes };
  }
}

function refused(digest: string, code: string): FleetError {
  const known = Object.keys(ERROR_TABLE).find((each) => each === code) as keyof typeof ERROR_TABLE | undefined;
  return new FleetError(known ?? 'INSTALL_FETCH', `the control plane does not give out blob ${digest} (${code})`);
}

function checked(digest: string, blob: Uint8Array): Uint8Array {
  if (`sha256:${createHash('sha256').update(blob).digest('hex')}` === digest) return blob;
  throw new FleetError('PACKAGE_DIGEST', `the bytes fetched for blob ${digest} do not have that digest`);
}
