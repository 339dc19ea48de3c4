/** Puts the ways in, uplink and import, in front of the one pipeline that checks and files recordings. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import type { Logger } from 'pino';
import { FolderQuarantine } from '../adapters/folder-quarantine.ts';
import { FolderAssemblies, FolderStaging } from '../adapters/folder-staging.ts';
import { FolderUploads } from '../adapters/folder-uploads.ts';
import { ThreadedAssembler } from '../adapters/recording-assembler.ts';
import type { ControlPlaneConfig } from '../config/control-plane-config.ts';
import { RecordingImport } from '../import/recording-import.ts';
import { AcceptedRecordings } from '../ingest/accepted-recordings.ts';
import { FinishedChunks } from '../ingest/finished-chunks.ts';
import { RecordingFiler } from '../ingest/recording-filer.ts';
import { Refusals } from '../ingest/refusal.ts';
import type { StreamAssembler } from '../ingest/ports.ts';
import { UploadIntake } from '../ingest/upload-intake.ts';
import { inLedger, RememberingRegistry } from '../ingest/vehicle-registry.ts';
import type { BlobStore, Ledger } from '../ports.ts';
import { SchemaWatch } from '../quality/schema-watch.ts';
import { parseStandard } from '../quality/standard.ts';

const MS_PER_HOUR = 3_600_000;
/** Imports that are hashed and checked at the same moment; each takes a core. */
const IMPORT_THREADS = 2;
const DEFAULT_STANDARD = join(import.meta.dirname, '../../standards/vehicle.json');

export type IngestParts = {
  readonly config: ControlPlaneConfig;
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
  readonly logger: Logger;
};

export type OpenedIngest = {
  readonly intake: UploadIntake;
  readonly imports: RecordingImport;
  readonly registry: RememberingRegistry;
};

/** `resources` ends the threads. */
export async function openIngest(parts: IngestParts, resources: AsyncDisposableStack): Promise<OpenedIngest> {
  const { config, ledger, blobs, logger } = parts;
  const { recordingBytesMax, importBytesMax, quarantineBytesMax, stagedAgeHoursMax } = config.limits;
  const folder = (name: string): string => join(config.dataDir, name);
  const keepSinceMs = (): number => Date.now() - stagedAgeHoursMax * MS_PER_HOUR;
  const registry = new RememberingRegistry(inLedger(ledger), () => performance.now());
  const refusals = new Refusals(await FolderQuarantine.open(folder('quarantine'), quarantineBytesMax), ledger);
  const standard = await readStandard(config.standard ?? DEFAULT_STANDARD);
  const watch = new SchemaWatch(parseStandard(standard));
  const accepted = await AcceptedRecordings.load(ledger, (stored) => {
    watch.add(stored);
    watch.readUpTo(stored.sequence);
  });
  const assemblies = await FolderAssemblies.open(folder('assembly'));
  const shared = { refusals, assemblies, filer: new RecordingFiler({ ledger, blobs, accepted, watch }) };
  const staging = await FolderStaging.open(folder('staging'), keepSinceMs());
  const uploads = await FolderUploads.open(folder('uploads'), keepSinceMs());
  sweepHourly([staging, uploads], keepSinceMs, { logger, resources });
  const startThread = (): ThreadedAssembler => resources.use(new ThreadedAssembler({ standard }));
  // Started when they are needed: a safety event is a few chunks, a bulk recording or an import may take long.
  const safety = startThread();
  const others = startThread();
  return {
    intake: new UploadIntake({
      ...shared,
      ledger,
      blobs,
      accepted,
      registry,
      recordingBytesMax,
      staging,
      assemblerOf: (priority) => (priority === 'safety' ? safety : others),
      finished: await FinishedChunks.load(accepted, blobs, recordingBytesMax),
    }),
    imports: new RecordingImport({
      ...shared,
      assembler: inTurns(Array.from({ length: IMPORT_THREADS }, startThread)),
      recordingBytesMax: importBytesMax,
      uploads,
    }),
    registry,
  };
}

/** What vehicles and importers have given up half-way goes in time, however long this process runs. */
function sweepHourly(
  folders: readonly { readonly sweep: (keepSinceMs: number) => Promise<void> }[],
  keepSinceMs: () => number,
  { logger, resources }: { readonly logger: Logger; readonly resources: AsyncDisposableStack },
): void {
  const sweep = async (): Promise<void> => {
    for (const folder of folders) await folder.sweep(keepSinceMs());
  };
  const timer = setInterval(() => {
    void sweep().catch((error: unknown) =>
      logger.warn({ reason: FleetError.from(error).message }, 'ingest.sweep.failed'),
    );
  }, MS_PER_HOUR).unref();
  resources.defer(() => clearInterval(timer));
}

/** The next one takes the next stream: streams are long, and equally so. */
function inTurns(assemblers: readonly StreamAssembler[]): StreamAssembler {
  let turn = 0;
  return {
    assembleStream: async (bytes, file) => {
      turn = (turn + 1) % assemblers.length;
      return (assemblers[turn] as StreamAssembler).assembleStream(bytes, file);
    },
  };
}

/** The document, which each thread parses for itself; a wrong one stops the start. @throws FleetError STANDARD_INVALID, CONFIG_INVALID */
async function readStandard(path: string): Promise<unknown> {
  try {
    const document: unknown = JSON.parse(await readFile(path, 'utf8'));
    parseStandard(document);
    return document;
  } catch (cause) {
    if (cause instanceof FleetError) throw cause;
    throw new FleetError('CONFIG_INVALID', `the quality standard ${path} cannot be read or is not JSON`, { cause });
  }
}
