/**
 * Why: a model must be judged on drives that it has never seen. The split is by drive session, and a version in which a
 * held-out session could have been learned does not freeze.
 */
import { type DatasetSpecification, type DatasetVersion, FleetError } from '@fleetloop/schemas';
import type { CatalogueRecording } from './dataset-plan.ts';

/** Attribute by which a session says that it is a copy of another (turned, resampled, augmented): it may not cross the split. */
export const DERIVED_FROM_ATTRIBUTE = 'derivedFrom';

type Exclusion = DatasetVersion['exclusions'][number];
type Split = 'train' | 'test';

/**
 * Gives each recording its split: test sessions are test; train is `trainSessions` where given, else all the rest.
 * @throws FleetError DATASET_LEAKAGE, DATASET_EMPTY
 */
export function assignSplits(
  specification: DatasetSpecification,
  included: readonly CatalogueRecording[],
): {
  readonly recordings: readonly (CatalogueRecording & { readonly split: Split })[];
  readonly exclusions: readonly Exclusion[];
} {
  const test = new Set(specification.testSessions);
  const train = specification.trainSessions === undefined ? undefined : new Set(specification.trainSessions);
  refuseNamedTwice(specification, test);
  const recordings: (CatalogueRecording & { readonly split: Split })[] = [];
  const exclusions: Exclusion[] = [];
  for (const recording of included) {
    if (test.has(recording.session)) recordings.push({ ...recording, split: 'test' });
    else if (train === undefined || train.has(recording.session)) recordings.push({ ...recording, split: 'train' });
    else
      exclusions.push({
        recording: recording.recording,
        session: recording.session,
        reason: 'the session is in neither split',
      });
  }
  refuseCopies(recordings, test);
  refuseEmpty(specification, recordings);
  return { recordings, exclusions };
}

/**
 * Holds for every frozen version; asked again before training, whoever wrote the document.
 * @throws FleetError DATASET_LEAKAGE
 */
export function assertNoLeakage(version: DatasetVersion): void {
  const test = new Set(version.recordings.filter((entry) => entry.split === 'test').map((entry) => entry.session));
  const leaked = version.recordings.find((entry) => entry.split === 'train' && test.has(entry.session));
  if (leaked === undefined) return;
  throw new FleetError(
    'DATASET_LEAKAGE',
    `session ${leaked.session} of ${version.dataset}/${version.version} is in train and in test: a model would be judged on what it has learned`,
  );
}

function refuseNamedTwice(specification: DatasetSpecification, test: ReadonlySet<string>): void {
  const both = specification.trainSessions?.find((session) => test.has(session));
  if (both === undefined) return;
  throw new FleetError(
    'DATASET_LEAKAGE',
    `session ${both} is held out for test and named in trainSessions: take it out of one of them`,
  );
}

function refuseCopies(
  recordings: readonly (CatalogueRecording & { readonly split: Split })[],
  test: ReadonlySet<string>,
): void {
  for (const recording of recordings) {
    const original = recording.attributes[DERIVED_FROM_ATTRIBUTE];
    if (recording.split === 'test' || original === undefined || !test.has(original)) continue;
    throw new FleetError(
      'DATASET_LEAKAGE',
      `session ${recording.session} is a copy of the held-out session ${original} and would be trained on: hold it out too or exclude it`,
    );
  }
}

function refuseEmpty(
  specification: DatasetSpecification,
  recordings: readonly (CatalogueRecording & { readonly split: Split })[],
): void {
  const name = `dataset ${specification.dataset}/${specification.version}`;
  for (const split of ['train', 'test'] as const) {
    if (recordings.some((entry) => entry.split === split)) continue;
    throw new FleetError(
      'DATASET_EMPTY',
      `${name} has no recording in ${split}: check the sessions that the specification names`,
    );
  }
  const present = new Set(recordings.map((entry) => entry.session));
  const absent = specification.trainSessions?.find((session) => !present.has(session));
  if (absent === undefined) return;
  throw new FleetError('DATASET_EMPTY', `${name} must train on session ${absent}, but no selected recording is of it`);
}
