/**
 * The configuration of the control plane: type, default, check and documentation of each value in one place. Unknown keys
 * are refused, because a misspelt limit that is ignored is worse than one that stops the start.
 */
import { FleetError } from '@fleetloop/schemas';
import { z } from 'zod';

const bytes = z.int().min(1);
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

const Limits = z
  .strictObject({
    recordingBytesMax: bytes.default(2 * GIB).describe('largest recording accepted from a vehicle, bytes'),
    importBytesMax: bytes.default(64 * GIB).describe('largest recording accepted by import, bytes'),
    uplinkBytesMax: bytes
      .default(8 * GIB)
      .describe('chunks and manifests that wait for ingest; above it a vehicle must wait, bytes'),
    telemetryBytesMax: bytes.default(GIB).describe('telemetry kept in its stream; the oldest leaves first, bytes'),
    inferenceBytesMax: bytes
      .default(8 * GIB)
      .describe('Parquet of reported inferences; the oldest leaves first, bytes'),
    featureSampleBytesMax: bytes
      .default(8 * GIB)
      .describe('Parquet of sampled feature inputs; the oldest leaves first, bytes'),
    telemetryAgeHoursMax: z.int().min(1).default(72).describe('telemetry kept in its stream, hours'),
    stagedAgeHoursMax: z
      .int()
      .min(1)
      .default(14 * 24)
      .describe('chunks that no manifest claims are removed at a start after this long, hours'),
    quarantineBytesMax: bytes
      .default(2 * GIB)
      .describe('bytes kept of refused uploads; above it only the reason is kept'),
    ingestConcurrency: z
      .int()
      .min(1)
      .max(64)
      .default(8)
      .describe('messages that are worked on at once, in each lane of the uplink'),
    recentInferencesPerVehicle: z
      .int()
      .min(64)
      .max(1_000_000)
      .default(20_000)
      .describe('inferences kept in memory per vehicle'),
  })
  .prefault({});

export const ControlPlaneConfig = z.strictObject({
  nats: z.strictObject({
    url: z.string().min(1).describe('address of the nats-server, nats://host:port'),
    jwt: z.string().min(1).describe("the control plane's user JWT"),
    seedFile: z.string().min(1).describe('file with the nkey seed of that user'),
    accountSeedFile: z.string().min(1).describe('file with the nkey seed of the account: signs the JWTs of vehicles'),
    system: z
      .strictObject({
        jwt: z.string().min(1).describe('JWT of a user of the system account'),
        seedFile: z.string().min(1).describe('file with the nkey seed of that user'),
        operatorSeedFile: z.string().min(1).describe('file with the nkey seed of the operator: signs the account'),
      })
      .optional()
      .describe('lets a revocation close connections; absent: ingest refuses, the connection stays'),
  }),
  temporal: z.strictObject({
    address: z.string().min(1).describe('host:port of the Temporal server'),
    namespace: z.string().min(1).default('default').describe('Temporal namespace'),
    taskQueue: z.string().min(1).default('fleetloop').describe('Temporal task queue of the workers'),
    activitiesAtOnce: z
      .int()
      .min(1)
      .max(1_000)
      .default(32)
      .describe('steps of workflows that this process works on at once'),
  }),
  mlflow: z.strictObject({ url: z.string().nullable().describe('address of the MLflow server; null runs without') }),
  python: z.string().min(1).describe('Python interpreter with the packages of the reference trainer'),
  trainersDir: z
    .string()
    .min(1)
    .optional()
    .describe('folder with one folder per trainer; absent: the trainers that come with the control plane'),
  dataDir: z.string().min(1).describe('folder for blobs, projections, staging, telemetry and keys'),
  instance: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/)
    .optional()
    .describe('tells several processes of the same roles over one dataDir apart; each keeps a projection of its own'),
  workflowBundleDir: z
    .string()
    .min(1)
    .optional()
    .describe('folder that keeps the bundled workflow code between starts; absent: workflow-bundle in dataDir'),
  api: z
    .strictObject({
      host: z.string().default('127.0.0.1').describe('address that the HTTP API listens on'),
      port: z.int().min(0).max(65_535).default(0).describe('port of the HTTP API; 0 takes a free one'),
    })
    .prefault({}),
  tokens: z.record(z.string().min(8), z.string().min(1).max(128)).describe('bearer token to the actor who holds it'),
  limits: Limits,
  ledger: z
    .strictObject({
      checkpointEntriesMax: z
        .int()
        .min(1)
        .max(100_000)
        .default(100)
        .describe('a checkpoint is signed after so many new entries …'),
      checkpointIntervalMs: z
        .int()
        .min(10)
        .max(3_600_000)
        .default(2_000)
        .describe('… or so long after the first one that none covers, whichever comes first'),
    })
    .prefault({}),
  import: z
    .strictObject({
      roots: z
        .record(z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/), z.string().startsWith('/'))
        .default({})
        .describe('folders whose files may be imported where they lie: name to absolute path'),
    })
    .prefault({}),
  standard: z
    .string()
    .min(1)
    .optional()
    .describe('quality standard that recordings are held against (JSON file); absent: the one of the control plane'),
  logLevel: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('least level of diagnostics'),
});
export type ControlPlaneConfig = z.infer<typeof ControlPlaneConfig>;
/** What a file or a caller writes: values with a default may be left out. */
export type ControlPlaneConfigInput = z.input<typeof ControlPlaneConfig>;

/** @throws FleetError CONFIG_INVALID naming each value that is wrong */
export function parseControlPlaneConfig(document: unknown): ControlPlaneConfig {
  const parsed = ControlPlaneConfig.safeParse(document);
  if (!parsed.success)
    throw new FleetError('CONFIG_INVALID', `the configuration is not valid: ${z.prettifyError(parsed.error)}`);
  const { recordingBytesMax, uplinkBytesMax } = parsed.data.limits;
  if (recordingBytesMax > uplinkBytesMax) {
    throw new FleetError(
      'CONFIG_INVALID',
      `limits.recordingBytesMax (${recordingBytesMax}) is over limits.uplinkBytesMax (${uplinkBytesMax}): such a recording could never arrive`,
    );
  }
  return parsed.data;
}

/** The configuration for the log: tokens are named by their actors, JWTs are left out. */
export function withoutSecrets(config: ControlPlaneConfig): Record<string, unknown> {
  return { ...config, nats: { url: config.nats.url }, tokens: Object.values(config.tokens) };
}

/** Path, meaning and default of each value, for `--help` and the documentation. */
export function configReference(schema: z.ZodType = ControlPlaneConfig): readonly {
  readonly path: string;
  readonly meaning: string;
  readonly default: unknown;
}[] {
  return describe(z.toJSONSchema(schema, { io: 'input' }) as JsonSchema, '');
}

type JsonSchema = {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly description?: string;
  readonly default?: unknown;
};

function describe(schema: JsonSchema, prefix: string): { path: string; meaning: string; default: unknown }[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    if (property.properties !== undefined) return describe(property, path);
    return [{ path, meaning: property.description ?? '', default: property.default }];
  });
}
