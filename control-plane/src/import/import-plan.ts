/** What is to be imported, as data: runs of test drives with their mapping, vehicle, label and attributes. */
import { isAbsolute, join } from 'node:path';
import { FleetError, parseVehicleId } from '@fleetloop/schemas';
import { z } from 'zod';

export const IMPORT_RUNS_MAX = 10_000;
const text = z.string().min(1).max(256);

/** Said of one run, or once for all runs; what a run says wins. */
const Common = z.strictObject({
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
  runs: z
    .array(
      Common.extend({
        /** A file of the run, or the folder of its arrays; files that the mapping joins are sought beside it. */
        source: z.string().min(1),
        /** Instead of the session name that the mapping makes. */
        session: text.optional(),
      }),
    )
    .min(1)
    .max(IMPORT_RUNS_MAX),
});
export type ImportSpecification = z.input<typeof ImportSpecification>;

/** One recording to be written and sent. Paths are resolved. */
export type PlannedRun = {
  readonly source: string;
  readonly mapping: string;
  readonly session: string | undefined;
  readonly label: string | undefined;
  readonly method: string;
  readonly vehicleId: string;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  readonly attributes: Readonly<Record<string, string>>;
};

const UNKNOWN = 'unknown';

/**
 * Checks a specification and resolves its paths from `folder`.
 * @throws FleetError IMPORT_INVALID naming each field that is wrong, REQUEST_INVALID for a vehicle id that is none
 */
export function planImport(document: unknown, folder: string): readonly PlannedRun[] {
  const parsed = ImportSpecification.safeParse(document);
  if (!parsed.success)
    throw new FleetError('IMPORT_INVALID', `the import specification is not valid: ${z.prettifyError(parsed.error)}`);
  const { runs, ...shared } = parsed.data;
  const resolve = (path: string): string => (isAbsolute(path) ? path : join(folder, path));
  return runs.map((run): PlannedRun => {
    const need = (name: 'mapping' | 'vehicle'): string => {
      const value = run[name] ?? shared[name];
      if (value === undefined)
        throw new FleetError(
          'IMPORT_INVALID',
          `the run of ${run.source} names no ${name}: give one for it or for all runs`,
        );
      return value;
    };
    return {
      source: resolve(run.source),
      mapping: resolve(need('mapping')),
      session: run.session,
      label: run.label ?? shared.label,
      method: shared.method,
      vehicleId: parseVehicleId(need('vehicle')),
      hardwareRevision: run.hardwareRevision ?? shared.hardwareRevision ?? UNKNOWN,
      softwareVersion: run.softwareVersion ?? shared.softwareVersion ?? UNKNOWN,
      attributes: { ...shared.attributes, ...run.attributes },
    };
  });
}
