/** The configuration of an agent process: one schema gives type, defaults, checks and documentation. */
import { FleetError, parseVehicleId } from '@fleetloop/schemas';
import { z } from 'zod';

const MIB = 1024 * 1024;
const pem = z.string().startsWith('-----BEGIN PUBLIC KEY-----');

export const AgentConfig = z.strictObject({
  vehicleId: z
    .string()
    .transform((text) => parseVehicleId(text))
    .describe('Id under which the vehicle is enrolled.'),
  hardwareRevision: z.string().min(1).max(64).describe('Hardware profile; bundles name those that they fit.'),
  softwareVersion: z.string().min(1).max(64).describe('Goes into the metadata of each recording.'),
  nats: z.strictObject({
    url: z.string().min(1).describe('nats:// or tls:// address of the server.'),
    jwt: z.string().min(1).describe('User JWT that enrolment answered with.'),
    seedFile: z.string().min(1).describe('File with the nkey seed of the vehicle; it also signs manifests.'),
  }),
  keys: z.strictObject({
    director: z.array(pem).min(1).max(8).describe('Public keys of director documents, PEM.'),
    image: z.array(pem).min(1).max(8).describe('Public keys of bundle manifests, PEM.'),
  }),
  stateDir: z.string().min(1).describe('The one folder that the agent writes to.'),
  playlist: z.string().min(1).describe('JSON lines file of drives, which grows.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Diagnostics to standard error from this level on.'),
  spoolQuotaBytes: z
    .int()
    .min(MIB)
    .default(2_048 * MIB)
    .describe('Most bytes of recordings on disk.'),
  ringBytesMax: z
    .int()
    .min(MIB)
    .max(1_024 * MIB)
    .default(16 * MIB)
    .describe('Most memory for pre-windows and open events.'),
});
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

/** The configuration without what identifies or proves the vehicle to others, for the first line of diagnostics. */
export function shownConfig(config: AgentConfig): object {
  const { nats, keys, vehicleId: _, ...rest } = config;
  return { ...rest, nats: { url: nats.url }, keys: { director: keys.director.length, image: keys.image.length } };
}
