/** The configuration of an agent process: one schema gives type, defaults, checks and documentation. */
import { FleetError, parseVehicleId } from '@fleetloop/schemas';
import { z } from 'zod';
import { LiveConfig } from '../capture/live-limits.ts';
import { RedactionRules } from '../record/redaction-rules.ts';
import { UplinkConfig } from '../uplink/uplink-config.ts';

const MIB = 1024 * 1024;
const pem = z.string().startsWith('-----BEGIN PUBLIC KEY-----');
const attributeName = z.string().regex(/^[a-z][a-zA-Z0-9_]{0,62}$/);

const Ring = z
  .strictObject({
    memoryBytesMax: z
      .int()
      .min(MIB)
      .max(1_024 * MIB)
      .default(16 * MIB)
      .describe('Most memory for pre-windows and open events.'),
    diskBytesMax: z
      .int()
      .min(16 * MIB)
      .default(256 * MIB)
      .describe(
        'Most bytes of the ring on disk, from which long pre-windows, pulls and what a power cut left open are taken.',
      ),
    ageMsMax: z.int().min(120_000).default(3_600_000).describe('What is older leaves the ring on disk, ms.'),
  })
  .prefault({});

const Spool = z
  .strictObject({
    quotaBytes: z
      .int()
      .min(MIB)
      .default(2_048 * MIB)
      .describe('Most bytes of recordings on disk.'),
    reserveBytes: z
      .int()
      .min(0)
      .default(256 * MIB)
      .describe('Bytes of the file system that recordings leave free.'),
    safetyFloorBytes: z
      .int()
      .min(0)
      .default(256 * MIB)
      .describe('Bytes of the quota that only safety recordings may use.'),
  })
  .refine((limits) => limits.safetyFloorBytes < limits.quotaBytes, 'safetyFloorBytes must be less than quotaBytes')
  .prefault({});

const Redaction = z
  .strictObject({
    rules: RedactionRules.default([]).describe('Applied in this order to every message before it is written.'),
    hashKeyFile: z
      .string()
      .min(1)
      .optional()
      .describe('File with the secret of hashed identifiers, at least 16 bytes.'),
  })
  .prefault({});

const Features = z
  .strictObject({
    sampleEvery: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(64)
      .describe(
        'One feature vector in so many is sent with its inputs, so that the cloud can recompute it; 0 for none.',
      ),
    sampleBytesPerHour: z
      .int()
      .min(0)
      .max(1_024 * MIB)
      .default(MIB)
      .describe('Most bytes of these samples in an hour; what is over it is counted and not sent.'),
  })
  .prefault({});

const Metrics = z.strictObject({
  port: z.int().min(0).max(65_535).describe('Port of GET /metrics; 0 takes a free one and logs it.'),
  host: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
});

export const AgentConfig = z
  .strictObject({
    vehicleId: z
      .string()
      .transform((text) => parseVehicleId(text))
      .describe('Id under which the vehicle is enrolled.'),
    hardwareRevision: z.string().min(1).max(64).describe('Hardware profile; bundles name those that they fit.'),
    softwareVersion: z.string().min(1).max(64).describe('Goes into the metadata of each recording.'),
    attributes: z
      .record(attributeName, z.union([z.string().max(256), z.number()]))
      .default({})
      .describe('Attributes of the vehicle that campaigns may ask for.'),
    nats: z.strictObject({
      url: z.string().min(1).describe('nats:// or tls:// address of the server.'),
      jwt: z.string().min(1).describe('User JWT that enrolment answered with.'),
      jwtFile: z.string().min(1).optional().describe('File with a newer JWT; read again when the server refuses.'),
      seedFile: z.string().min(1).describe('File with the nkey seed of the vehicle; it also signs manifests.'),
    }),
    keys: z.strictObject({
      director: z.array(pem).min(1).max(8).describe('Public keys of director documents, PEM.'),
      image: z.array(pem).min(1).max(8).describe('Public keys of bundle manifests, PEM.'),
    }),
    stateDir: z.string().min(1).describe('The one folder that the agent writes to.'),
    playlist: z
      .string()
      .min(1)
      .optional()
      .describe('JSON lines file of recorded drives, which grows. Either this or live.'),
    live: LiveConfig.optional().describe('Publishers of this vehicle. Either this or playlist.'),
    logLevel: z
      .enum(['debug', 'info', 'warn', 'error'])
      .default('info')
      .describe('Diagnostics to standard error from this level on.'),
    ring: Ring.describe('What is kept of the last minutes.'),
    spool: Spool.describe('What waits for the link.'),
    uplink: UplinkConfig.prefault({}).describe('What uploads may cost.'),
    redaction: Redaction.describe('What must not leave the vehicle.'),
    features: Features.describe('What of the feature engine is checked in the cloud.'),
    controlSocket: z
      .string()
      .min(1)
      .optional()
      .describe(
        'One more socket file on which `agent status` and `agent why` may ask; agent.sock in stateDir always is one.',
      ),
    metrics: Metrics.optional().describe('Prometheus metrics; off without it.'),
  })
  .refine((config) => (config.playlist === undefined) !== (config.live === undefined), 'name either playlist or live');
export type AgentConfig = z.infer<typeof AgentConfig>;

/** @throws FleetError CONFIG_INVALID naming each key that is missing, unknown or wrong */
export function parseAgentConfig(text: string, path: string): AgentConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FleetError('CONFIG_INVALID', `${path} is not JSON: ${cause instanceof Error ? cause.message : ''}`, {
      cause,
    });
  }
  try {
    return AgentConfig.parse(value);
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : FleetError.from(cause).message;
    throw new FleetError('CONFIG_INVALID', `${path} is not a valid agent configuration: ${why}`, { cause });
  }
}

/** Where the agent of a configuration answers questions. */
export function controlSocketOf({ controlSocket, stateDir }: Pick<AgentConfig, 'controlSocket' | 'stateDir'>): string {
  return controlSocket ?? `${stateDir}/agent.sock`;
}

/** The configuration without what identifies or proves the vehicle to others, for the first line of diagnostics. */
export function shownConfig(config: AgentConfig): object {
  const { nats, keys, vehicleId: _, ...rest } = config;
  return { ...rest, nats: { url: nats.url }, keys: { director: keys.director.length, image: keys.image.length } };
}
