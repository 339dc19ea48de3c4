/** What an import on the control plane touches: its folders, the blob store for the plan, and ingest itself. */
import { canonicalJson, type Digest, FleetError, type JsonValue } from '@fleetloop/schemas';
import type { ImportActivities, ImportedPart } from '@fleetloop/workflows';
import { labelFact } from '../ingest/facts.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { guardActivities, withHeartbeat } from '../workflow/activity-guard.ts';
import { counted } from './counted-bytes.ts';
import { findRuns } from './find-runs.ts';
import type { DiskAccess } from './import-cli.ts';
import { planImport, type PlannedRun } from './import-plan.ts';
import type { ImportTarget } from './import-run.ts';
import { type BadRun, type ImportedRun, type ImportReport, importRuns } from './import-runs.ts';
import { findImport } from './known-imports.ts';

/** Runs of one part: minutes of work, so that little is lost when its worker goes away. */
export const RUNS_PER_PART = 50;
const MESSAGE_LENGTH_MAX = 500;

type Context = Pick<ControlPlane, 'ledger' | 'projection' | 'blobs' | 'ingest' | 'config'>;
export type ImportActivityOptions = {
  readonly openDisk: () => Promise<DiskAccess>;
  /** The path without links. @throws FleetError SOURCE_NOT_FOUND */
  readonly realPath: (path: string) => Promise<string>;
};

export function createImportActivities(context: Context, options: ImportActivityOptions): ImportActivities {
  return guardActivities<ImportActivities>({
    planImportParts: async ({ root, specification }) =>
      withHeartbeat(async ({ signal }) => {
        const folder = await rootFolder(context, root, options);
        await using access = await options.openDisk();
        const plan = planImport(specification, folder);
        for (const { source, mapping } of plan.runs)
          for (const path of [source, mapping]) if (path !== undefined) await assertInside(folder, path, options);
        const runs = await findRuns(plan, { ...access, signal });
        const parts: Digest[] = [];
        for (let from = 0; from < runs.length; from += RUNS_PER_PART)
          parts.push(await storeRuns(context, runs.slice(from, from + RUNS_PER_PART)));
        return { runs: runs.length, parts };
      }),
    importPart: async ({ part, actor }) =>
      withHeartbeat(async ({ signal, say }) => {
        const runs = JSON.parse(Buffer.from(await context.blobs.get(part as Digest)).toString('utf8')) as PlannedRun[];
        await using access = await options.openDisk();
        const { disk, read } = access;
        const target = localTarget(context, { actor, read });
        const onRun = (): void => say(undefined);
        const onStep = (_run: PlannedRun, step: unknown): void => say(step);
        const report = await importRuns(runs, { disk, target, signal, onRun, onStep });
        // In the order of the runs: what came of the one at a position stands at that position.
        const bad = runs.filter((_, index) => isBad(report.runs[index]));
        return partOf(report, bad.length === 0 ? null : await storeRuns(context, bad));
      }),
  });
}

/** Ingest of this process, without the way through HTTP. */
function localTarget(
  context: Context,
  parts: { readonly actor: string; readonly read: DiskAccess['read'] },
): ImportTarget {
  const { actor, read } = parts;
  return {
    find: async (key) => findImport(context.projection, key),
    assignLabel: async (recording, label) => {
      await context.ledger.append([labelFact(recording, label, actor)]);
    },
    send: async ({ path }, { importKey, label, onBytes }) =>
      context.ingest.import({
        bytes: counted(read(path, 0), onBytes),
        actor,
        importKey,
        ...(label === undefined ? {} : { label }),
      }),
  };
}

async function storeRuns({ blobs }: Context, runs: readonly PlannedRun[]): Promise<Digest> {
  const document = JSON.parse(JSON.stringify(runs)) as JsonValue;
  return blobs.put(Buffer.from(canonicalJson(document), 'utf8'));
}

async function rootFolder({ config }: Context, root: string, options: ImportActivityOptions): Promise<string> {
  const folder = Object.hasOwn(config.import.roots, root) ? config.import.roots[root] : undefined;
  if (folder === undefined)
    throw new FleetError('IMPORT_INVALID', `no folder is named ${root}: add it to import.roots of the control plane`);
  return options.realPath(folder);
}

/** A specification names files of its root and nothing else of this machine. */
async function assertInside(folder: string, path: string, { realPath }: ImportActivityOptions): Promise<void> {
  const real = await realPath(path);
  if (real !== folder && !real.startsWith(`${folder}/`))
    throw new FleetError('IMPORT_INVALID', `${path} is not below the root that the import names`);
}

/** Good runs are counted: the catalogue has them. */
function partOf({ runs, ...counts }: ImportReport, again: Digest | null): ImportedPart {
  const bad = runs.filter(isBad).map((run) => ({ ...run, message: run.message.slice(0, MESSAGE_LENGTH_MAX) }));
  return { ...counts, runs: bad, again };
}

function isBad(run: ImportedRun | undefined): run is BadRun {
  return run !== undefined && 'code' in run;
}
