/** Why: which recordings a dataset version holds, and why the others are out, is a pure answer to its specification. */
import {
  compileExpression,
  type DatasetRecording,
  type DatasetSpecification,
  type DatasetVersion,
  FleetError,
} from '@fleetloop/schemas';
import { assignSplits } from './split.ts';

/** What the catalogue knows of one recording. `label` is the newest label, null where there is none. */
export type CatalogueRecording = {
  readonly recording: string;
  readonly session: string;
  readonly source: 'uplink' | 'import';
  readonly vehicle: string;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  readonly brief: string | null;
  readonly label: string | null;
  readonly durationSeconds: number;
  readonly attributes: Readonly<Record<string, string>>;
};

type Filter = (recording: CatalogueRecording) => boolean;
type Exclusion = DatasetVersion['exclusions'][number];

/** Variables of the filters, see DatasetSpecification. */
const VARIABLES = {
  session: 'string',
  source: 'string',
  vehicle: 'string',
  hardwareRevision: 'string',
  softwareVersion: 'string',
  brief: 'string',
  label: 'string',
  durationSeconds: 'double',
  attributes: 'map<string, string>',
} as const;

/**
 * The dataset version that answers a specification over a catalogue; the order of the catalogue does not matter.
 * @throws FleetError DATASET_INVALID, DATASET_LEAKAGE, DATASET_LABEL_MISSING, DATASET_EMPTY
 */
export function planDatasetVersion(
  specification: DatasetSpecification,
  specificationDigest: string,
  catalogue: readonly CatalogueRecording[],
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
  catalogue: readonly CatalogueRecording[],
): { readonly included: readonly CatalogueRecording[]; readonly exclusions: readonly Exclusion[] } {
  const include = compileFilter(specification.include);
  const excludes = specification.exclude.map(({ where, reason }) => ({ matches: compileFilter(where), reason }));
  const included: CatalogueRecording[] = [];
  const exclusions: Exclusion[] = [];
  for (const recording of catalogue) {
    if (!include(recording)) continue;
    const excluded = excludes.find((rule) => rule.matches(recording));
    if (excluded === undefined) included.push(recording);
    else exclusions.push({ recording: recording.recording, session: recording.session, reason: excluded.reason });
  }
  if (included.length === 0) {
    throw new FleetError(
      'DATASET_EMPTY',
      `${nameOf(specification)} selects none of ${catalogue.length} recordings: check include and exclude`,
    );
  }
  return { included, exclusions };
}

/** A filter that fails closed: an expression that cannot be evaluated refuses the version and names the recording. */
function compileFilter(source: string): Filter {
  const compiled = compileExpression(source, VARIABLES, { syntax: 'DATASET_INVALID', type: 'DATASET_INVALID' });
  return (recording) => {
    try {
      const {
        session,
        source: origin,
        vehicle,
        hardwareRevision,
        softwareVersion,
        durationSeconds,
        attributes,
      } = recording;
      const brief = recording.brief ?? '';
      const label = recording.label ?? '';
      return compiled.evaluate({
        session,
        source: origin,
        vehicle,
        hardwareRevision,
        softwareVersion,
        brief,
        label,
        durationSeconds,
        attributes,
      });
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
