/** Why: which recordings a dataset version holds, and why the others are out, is a pure answer to its specification. */
import {
  compileRecordingFilter,
  type DatasetRecording,
  type DatasetSpecification,
  type DatasetVersion,
  type FilterableRecording,
  FleetError,
} from '@fleetloop/schemas';
import { permissionRefusal } from './permissions.ts';
import { assignSplits } from './split.ts';

/** What the catalogue knows of one recording. `label` is the newest label, null where there is none. */
export type CatalogueRecording = FilterableRecording & { readonly recording: string };

type Filter = (recording: CatalogueRecording) => boolean;
type Exclusion = DatasetVersion['exclusions'][number];

/** What there is to select from, and when: permissions end. */
export type DatasetCatalogue = { readonly recordings: readonly CatalogueRecording[]; readonly at: Date };

/**
 * The dataset version that answers a specification over a catalogue; the order of the catalogue does not matter.
 * @throws FleetError DATASET_INVALID, DATASET_LEAKAGE, DATASET_LABEL_MISSING, DATASET_EMPTY
 */
export function planDatasetVersion(
  specification: DatasetSpecification,
  specificationDigest: string,
  catalogue: DatasetCatalogue,
): DatasetVersion {
  const { included, exclusions } = select(specification, catalogue);
  const split = assignSplits(specification, included);
  return {
    kind: 'dataset-version',
    dataset: specification.dataset,
    version: specification.version,
    specification: specificationDigest,
    recordings: split.recordings.map(toDatasetRecording).sort(byRecording),
    exclusions: [...exclusions, ...split.exclusions].sort(byRecording),
  };
}

function select(
  specification: DatasetSpecification,
  { recordings, at }: DatasetCatalogue,
): { readonly included: readonly CatalogueRecording[]; readonly exclusions: readonly Exclusion[] } {
  const include = compileFilter(specification.include);
  const excludes = specification.exclude.map(({ where, reason }) => ({ matches: compileFilter(where), reason }));
  const included: CatalogueRecording[] = [];
  const exclusions: Exclusion[] = [];
  let refused = 0;
  for (const recording of recordings) {
    if (!include(recording)) continue;
    const excluded = excludes.find((rule) => rule.matches(recording))?.reason;
    const refusal = excluded === undefined ? permissionRefusal(recording, specification, at) : undefined;
    const reason = excluded ?? refusal;
    if (refusal !== undefined) refused += 1;
    if (reason === undefined) included.push(recording);
    else exclusions.push({ recording: recording.recording, session: recording.session, reason });
  }
  if (included.length === 0) {
    const kept = refused === 0 ? '' : `, and what ${refused} of them may be used for`;
    throw new FleetError(
      'DATASET_EMPTY',
      `${nameOf(specification)} selects none of ${recordings.length} recordings: check include and exclude${kept}`,
    );
  }
  return { included, exclusions };
}

/** A filter that fails closed: an expression that cannot be evaluated refuses the version and names the recording. */
function compileFilter(source: string): Filter {
  const matches = compileRecordingFilter(source, 'DATASET_INVALID');
  return (recording) => {
    try {
      return matches(recording);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new FleetError(
        'DATASET_INVALID',
        `the filter ${JSON.stringify(source)} cannot be evaluated for recording ${recording.recording} of ${recording.session}: ${why}; guard attributes with has()`,
        { cause },
      );
    }
  };
}

type SplitRecording = CatalogueRecording & { readonly split: 'train' | 'test' };

function toDatasetRecording(entry: SplitRecording): DatasetRecording {
  if (entry.label === null) {
    throw new FleetError(
      'DATASET_LABEL_MISSING',
      `recording ${entry.recording} of session ${entry.session} has no label: assign one or exclude it with a reason`,
    );
  }
  const { recording, session, split, label, vehicle, hardwareRevision, softwareVersion, brief } = entry;
  return { recording, session, split, label, vehicle, hardwareRevision, softwareVersion, brief };
}

function byRecording(left: { readonly recording: string }, right: { readonly recording: string }): number {
  return left.recording < right.recording ? -1 : left.recording > right.recording ? 1 : 0;
}

function nameOf(specification: DatasetSpecification): string {
  return `dataset ${specification.dataset}/${specification.version}`;
}
