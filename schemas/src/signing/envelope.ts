/** The DSSE v1 envelope as a checked type; signing and verifying live in dsse.ts, which needs a crypto library. */
import { z } from 'zod';

export const DsseEnvelope = z.strictObject({
  payloadType: z.string().max(256),
  payload: z.string().max(4 * 1024 * 1024),
  signatures: z
    .array(z.strictObject({ keyid: z.string().max(128), sig: z.string().max(256) }))
    .min(1)
    .max(8),
});
export type DsseEnvelope = z.infer<typeof DsseEnvelope>;
