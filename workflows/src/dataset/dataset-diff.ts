/** Why: before somebody trains on a new version they want to read what changed, not two lists of digests. */
import type { DatasetRecording, DatasetVersion } from '@fleetloop/schemas';

type SplitCounts = { readonly train: number; readonly test: number };
type Placement = { readonly split: 'train' | 'test'; readonly label: string };

export type DatasetDifference = {
  readonly from: string;
  readonly to: string;
  readonly added: readonly DatasetRecording[];
  readonly removed: readonly DatasetRecording[];
  /** The same recording in another split or under another label. */
  readonly changed: readonly {
    readonly recording: string;
    readonly session: string;
    readonly from: Placement;
    readonly to: Placement;
  }[];
  /** Sessions of one vehicle whose recording went and another came: new bytes for the same drive. Also in `added` and `removed`. */
  readonly replaced: readonly {
    readonly session: string;
    readonly vehicle: string;
    readonly from: string;
    readonly to: string;
  }[];
  /** Recordings per label and split, before and after. */
  readonly labels: readonly { readonly label: string; readonly from: SplitCounts; readonly to: SplitCounts }[];
};

/** What changed from one frozen version to another. */
export function diffDatasets(from: DatasetVersion, to: DatasetVersion): DatasetDifference {
  const before = new Map(from.recordings.map((entry) => [entry.recording, entry]));
  const after = new Map(to.recordings.map((entry) => [entry.recording, entry]));
  const added = to.recordings.filter((entry) => !before.has(entry.recording));
  const removed = from.recordings.filter((entry) => !after.has(entry.recording));
  return {
    from: `${from.dataset}/${from.version}`,
    to: `${to.dataset}/${to.version}`,
    added,
    removed,
    changed: changesOf(before, to.recordings),
    replaced: replacementsOf(removed, added),
    labels: labelCounts(from, to),
  };
}

function changesOf(
  before: ReadonlyMap<string, DatasetRecording>,
  after: readonly DatasetRecording[],
): DatasetDifference['changed'] {
  return after.flatMap((entry) => {
    const former = before.get(entry.recording);
    if (former === undefined || (former.split === entry.split && former.label === entry.label)) return [];
    return [{ recording: entry.recording, session: entry.session, from: placementOf(former), to: placementOf(entry) }];
  });
}

function replacementsOf(
  removed: readonly DatasetRecording[],
  added: readonly DatasetRecording[],
): DatasetDifference['replaced'] {
  const key = (entry: DatasetRecording): string => `${entry.vehicle}\n${entry.session}`;
  const newcomers = new Map(added.map((entry) => [key(entry), entry]));
  return removed.flatMap((entry) => {
    const successor = newcomers.get(key(entry));
    return successor === undefined
      ? []
      : [{ session: entry.session, vehicle: entry.vehicle, from: entry.recording, to: successor.recording }];
  });
}

function labelCounts(from: DatasetVersion, to: DatasetVersion): DatasetDifference['labels'] {
  const labels = new Set([...from.recordings, ...to.recordings].map((entry) => entry.label));
  return [...labels].sort().map((label) => ({ label, from: countsOf(from, label), to: countsOf(to, label) }));
}

function countsOf(version: DatasetVersion, label: string): SplitCounts {
  const of = (split: 'train' | 'test'): number =>
    version.recordings.filter((entry) => entry.label === label && entry.split === split).length;
  return { train: of('train'), test: of('test') };
}

const placementOf = (entry: DatasetRecording): Placement => ({ split: entry.split, label: entry.label });
