/** What is to be imported, as data: runs of test drives with their mapping, vehicle, label, attributes and circumstances. */
import { isAbsolute, join } from 'node:path';
import { Circumstances, FleetError, parseVehicleId } from '@fleetloop/schemas';
import { z } from 'zod';

/** Runs of one import, after folders were looked through. */
export const IMPORT_RUNS_MAX = 100_000;
const SOURCES_MAX = 10_000;
const PATTERNS_MAX = 32;
const text = z.string().min(1).max(256);

/** Said of one run, or once for all runs; what a run says wins. */
const Common = z.strictObject({
  ...Circumstances.shape,
  /** Path of the mapping file. Relative paths count from the folder of the specification. */
  mapping: z.string().min(1).optional(),
  vehicle: text.optional(),
  hardwareRevision: text.optional(),
  softwareVersion: text.optional(),
  label: text.optional(),
  attributes: z.record(text, z.string().max(256)).default({}),
});

export const ImportSpecification = Common.extend({
  kind: z.literal('import-specification'),
  /** How the labels were found, e.g. `terrain of the test site`. */
  method: z.string().max(1_000).default('import'),
  /** Which files of a folder are runs, as glob patterns over their names; absent: those that the mapping or the formats name. */
  patterns: z.array(text).max(PATTERNS_MAX).optional(),
  runs: z
    .array(
      Common.extend({
        /** A file of the run, the folder of its arrays, or a folder that is looked through for runs. */
        source: z.string().min(1).max(4_096),
        /** Instead of the session name that the mapping makes. */
        session: text.optional(),
      }),
    )
    .min(1)
    .max(SOURCES_MAX),
});
export type ImportSpecification = z.input<typeof ImportSpecification>;

/** One recording to be written and sent, or a folder of such. Paths are resolved. */
export type PlannedRun = {
  readonly source: string;
  readonly mapping: string | undefined;
  readonly session: string | undefined;
  readonly label: string | undefined;
  readonly method: string;
  /** Undefined only for a recording of ours, which names its vehicle itself. */
  readonly vehicleId: string | undefined;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly circumstances: Circumstances;
};

export type ImportPlan = { readonly runs: readonly PlannedRun[]; readonly patterns: readonly string[] | undefined };

const UNKNOWN = 'unknown';
const CIRCUMSTANCE_NAMES = Object.keys(Circumstances.shape) as readonly (keyof Circumstances)[];

/**
 * Checks a specification and resolves its paths from `folder`.
 * @throws FleetError IMPORT_INVALID naming each field that is wrong, REQUEST_INVALID for a vehicle id that is none
 */
export function planImport(document: unknown, folder: string): ImportPlan {
  const parsed = ImportSpecification.safeParse(document);
  if (!parsed.success)
    throw new FleetError('IMPORT_INVALID', `the import specification is not valid: ${z.prettifyError(parsed.error)}`);
  const { runs, patterns, ...shared } = parsed.data;
  const resolve = (path: string): string => (isAbsolute(path) ? path : join(folder, path));
  const planned = runs.map((run): PlannedRun => {
    const mapping = run.mapping ?? shared.mapping;
    const vehicle = run.vehicle ?? shared.vehicle;
    return {
      source: resolve(run.source),
      mapping: mapping === undefined ? undefined : resolve(mapping),
      session: run.session,
      label: run.label ?? shared.label,
      method: shared.method,
      vehicleId: vehicle === undefined ? undefined : parseVehicleId(vehicle),
      hardwareRevision: run.hardwareRevision ?? shared.hardwareRevision ?? UNKNOWN,
      softwareVersion: run.softwareVersion ?? shared.softwareVersion ?? UNKNOWN,
      attributes: { ...shared.attributes, ...run.attributes },
      circumstances: { ...circumstancesOf(shared), ...circumstancesOf(run) },
    };
  });
  return { runs: planned, patterns };
}

/** Without the names that are undefined: they would hide what was said for all runs. */
function circumstancesOf(common: z.infer<typeof Common>): Circumstances {
  return Object.fromEntries(
    CIRCUMSTANCE_NAMES.filter((name) => common[name] !== undefined).map((name) => [name, common[name]]),
  );
}
