/** What a relay reports to the centre of an upload that it refused. */
import { ERROR_TABLE, type ErrorCode, FleetError } from '@fleetloop/schemas';
import { z } from 'zod';

const RelayRefusal = z.strictObject({
  relay: z.string().min(1).max(64),
  code: z.string().refine((code): code is ErrorCode => code in ERROR_TABLE),
  message: z.string().max(4_000),
  /** The signed manifest as the vehicle sent it. */
  manifest: z.base64(),
});

export type RelayRefusal = {
  readonly relay: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly manifest: Uint8Array;
};

/** @throws FleetError REQUEST_INVALID */
export function parseRelayRefusal(bytes: Uint8Array): RelayRefusal {
  const parsed = RelayRefusal.safeParse(parseJson(bytes));
  if (!parsed.success)
    throw new FleetError('REQUEST_INVALID', `the report of a relay is not valid: ${z.prettifyError(parsed.error)}`);
  return { ...parsed.data, manifest: Buffer.from(parsed.data.manifest, 'base64') };
}

export function encodeRelayRefusal(refusal: RelayRefusal): Uint8Array {
  const manifest = Buffer.from(refusal.manifest).toString('base64');
  return new TextEncoder().encode(JSON.stringify({ ...refusal, manifest }));
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
