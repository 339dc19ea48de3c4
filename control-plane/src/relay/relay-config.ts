/** The configuration of a regional relay: type, default, check and documentation of each value in one place. */
import { FleetError } from '@fleetloop/schemas';
import { z } from 'zod';

const bytes = z.int().min(1);
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** Names of relays and JetStream domains: one token of a subject. */
export const RELAY_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export const RelayConfig = z.strictObject({
  name: z.string().regex(RELAY_NAME).describe('name of this relay; vehicles read it in their receipts'),
  nats: z.strictObject({
    url: z.string().min(1).describe('address of the nats-server of the region, a leaf node of the centre'),
    jwt: z.string().min(1).describe("the relay's user JWT"),
    seedFile: z.string().min(1).describe('file with the nkey seed of that user'),
  }),
  hubDomain: z.string().regex(RELAY_NAME).default('hub').describe('JetStream domain of the centre'),
  dataDir: z.string().min(1).describe('folder for recordings on their way and refused ones'),
  limits: z
    .strictObject({
      recordingBytesMax: bytes.default(2 * GIB).describe('largest recording taken, bytes'),
      streamBytesMax: bytes
        .default(4 * GIB)
        .describe('what waits in the stream of the region; above it vehicles are told to wait, bytes'),
      heldBytesMax: bytes.default(16 * GIB).describe('recordings on disk on their way to the centre, bytes'),
      quarantineBytesMax: bytes
        .default(GIB)
        .describe('bytes kept of refused uploads; above it only the reason is kept'),
      concurrency: z.int().min(1).max(64).default(4).describe('messages that are worked on at once, in each lane'),
    })
    .prefault({}),
  logLevel: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('least level of diagnostics'),
});
export type RelayConfig = z.infer<typeof RelayConfig>;
/** What a file or a caller writes: values with a default may be left out. */
export type RelayConfigInput = z.input<typeof RelayConfig>;

/** @throws FleetError CONFIG_INVALID naming each value that is wrong */
export function parseRelayConfig(document: unknown): RelayConfig {
  const parsed = RelayConfig.safeParse(document);
  if (!parsed.success)
    throw new FleetError(
      'CONFIG_INVALID',
      `the configuration of the relay is not valid: ${z.prettifyError(parsed.error)}`,
    );
  const { recordingBytesMax, streamBytesMax, heldBytesMax } = parsed.data.limits;
  if (recordingBytesMax > Math.min(streamBytesMax, heldBytesMax))
    throw new FleetError(
      'CONFIG_INVALID',
      `limits.recordingBytesMax (${recordingBytesMax}) is over limits.streamBytesMax or limits.heldBytesMax: such a recording could never pass`,
    );
  return parsed.data;
}
