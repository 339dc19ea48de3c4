/** Why: checks files without any server: reads each once, from any format that sources are read from, and judges what came. */
import { FleetError } from '@fleetloop/schemas';
import { type RecordingScan, scanRecording } from '@fleetloop/schemas/recording';
import {
  isFleetRecording,
  openSource,
  type LoadedMapping,
  type Source,
  type SourceFiles,
} from '@fleetloop/schemas/source';
import type { CheckReport } from './finding.ts';
import { type FormOrigin, originOf } from './known-forms.ts';
import { metadataFacts } from './metadata-facts.ts';
import { RecordingCheck } from './recording-check.ts';
import type { FormSpan } from './schema-findings.ts';
import type { Standard } from './standard.ts';
import { boundedForms, type TopicForm } from './topic-form.ts';

/** Codes that say that the file itself is damaged; other failures are of the call. */
const DAMAGE: ReadonlySet<string> = new Set([
  'SOURCE_FORMAT',
  'SOURCE_VALUE_INVALID',
  'SOURCE_ROW_INVALID',
  'SOURCE_LIMIT',
  'SOURCE_EMPTY',
  'INGEST_MCAP_INVALID',
  'INGEST_LIMIT',
]);

export type CheckOptions = {
  readonly files: SourceFiles;
  readonly standard: Standard;
  readonly mapping?: LoadedMapping | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type FileReport = { readonly file: string } & CheckReport;
/** What files are compared by: the forms of a recording, whose it is and when. */
export type RecordingForm = FormSpan & { readonly origin: FormOrigin; readonly topics: readonly TopicForm[] };
/** A report, and what later files are compared with; undefined for a file that names no vehicle. */
export type CheckedFile = { readonly report: FileReport; readonly form: RecordingForm | undefined };

/** @throws FleetError SOURCE_NOT_FOUND, MAPPING_INVALID: what is wrong with the call, not with the file */
export async function checkFile(
  path: string,
  { files, standard, mapping, signal }: CheckOptions,
): Promise<CheckedFile> {
  const check = new RecordingCheck(standard);
  let source: Source | undefined;
  let scan: RecordingScan | undefined;
  let damage: string | undefined;
  try {
    source = await openSource({ ...mapping, sourcePath: path, files, signal });
    // What goes into the catalogue as it is must be judged as it is there: by the same scan, in the order of the file.
    if (mapping === undefined && (await isFleetRecording(path, files)))
      scan = await scanRecording(files.read(path, signal), (message) => check.push(message));
    else for await (const batch of source.batches()) for (const message of batch) check.push(message);
  } catch (error) {
    signal?.throwIfAborted();
    const failure = FleetError.from(error);
    const isBeheaded = failure.code === 'MAPPING_INVALID' && mapping === undefined && /\.mcap$/i.test(path);
    if (!DAMAGE.has(failure.code) && !isBeheaded) throw failure;
    damage = isBeheaded ? `${path} does not begin as MCAP files do` : failure.message;
  }
  const facts = metadataFacts(scan?.metadata ?? source?.description.metadata ?? []);
  const forms = check.forms();
  const report = {
    file: path,
    ...check.finish({
      ...facts,
      damage,
      declared: scan?.channels ?? source?.description.channels ?? [],
      attributes: source?.description.attributes,
      stepsBack: source?.report().stepsBack,
    }),
  };
  const { metadata } = facts;
  const { startNs, endNs } = check;
  const { topics } = boundedForms(forms);
  const form = metadata === undefined ? undefined : { origin: originOf(path, metadata), startNs, endNs, topics };
  return { report, form };
}
