/**
 * Why: one finding is a recording's; the same finding in every recording of one firmware is the firmware's. For each rule and topic
 * this compares how often it occurs with each vehicle, firmware, hardware and day against all other recordings.
 */

export type CheckedRecording = {
  readonly recording: string;
  readonly vehicle: string;
  readonly softwareVersion: string;
  readonly hardwareRevision: string;
  /** Firmware as it was declared, else as the session names it, or empty. */
  readonly firmware: string;
  readonly startNs: string;
  readonly endNs: string;
};

export type FoundIn = { readonly recording: string; readonly rule: string; readonly topic: string | null };

export const CAUSE_KINDS = ['vehicle', 'softwareVersion', 'hardwareRevision', 'firmware', 'day'] as const;
export type CauseKind = (typeof CAUSE_KINDS)[number];

export type SharedCause = {
  readonly rule: string;
  readonly topic: string | null;
  readonly cause: CauseKind;
  readonly value: string;
  /** Recordings of this value with the finding, and all of this value; for what updates changed, vehicles by software version. */
  readonly with: number;
  readonly of: number;
  readonly share: number;
  /** Share of all other recordings that have the finding. */
  readonly elsewhere: number;
  /** `share` over `elsewhere`, each with half a recording added, so that none is infinite. */
  readonly lift: number;
  /** First and last log time of the recordings with the finding. */
  readonly fromNs: string;
  readonly toNs: string;
};

/** Fewest recordings with the finding, smallest share and lift that make a cause. */
const RECORDINGS_MIN = 2;
const SHARE_MIN = 0.5;
const LIFT_MIN = 2;
const CAUSES_MAX = 256;
/** What is found once after each update of a vehicle, and not again in each of its recordings. */
const UPDATE_RULES: ReadonlySet<string> = new Set(['schema.changed', 'schema.extended']);
const NS_PER_DAY = 86_400_000_000_000n;

/** Causes by lift, then by how many recordings they explain. */
export function findSharedCauses(
  checked: readonly CheckedRecording[],
  found: readonly FoundIn[],
): readonly SharedCause[] {
  const byFinding = Map.groupBy(found, ({ rule, topic }) => JSON.stringify([rule, topic]));
  const causes: SharedCause[] = [];
  for (const [key, occurrences] of byFinding) {
    const [rule, topic] = JSON.parse(key) as [string, string | null];
    const affected = new Set(occurrences.map(({ recording }) => recording));
    const counted = UPDATE_RULES.has(rule) ? onePerUpdate(checked, affected) : checked;
    for (const cause of CAUSE_KINDS) causes.push(...causesOf(counted, affected, { rule, topic, cause }));
  }
  return causes.toSorted((a, b) => b.lift - a.lift || b.with - a.with).slice(0, CAUSES_MAX);
}

/** One recording of each vehicle and software version: one that is affected where there is one. */
function onePerUpdate(
  checked: readonly CheckedRecording[],
  affected: ReadonlySet<string>,
): readonly CheckedRecording[] {
  const units = new Map<string, CheckedRecording>();
  for (const recording of checked) {
    const key = JSON.stringify([recording.vehicle, recording.softwareVersion]);
    if (!units.has(key) || affected.has(recording.recording)) units.set(key, recording);
  }
  return [...units.values()];
}

function causesOf(
  checked: readonly CheckedRecording[],
  affected: ReadonlySet<string>,
  about: Pick<SharedCause, 'rule' | 'topic' | 'cause'>,
): readonly SharedCause[] {
  const groups = Map.groupBy(checked, (recording) => valueOf(recording, about.cause));
  if (groups.size < 2) return [];
  const isAffected = ({ recording }: CheckedRecording): boolean => affected.has(recording);
  const affectedInAll = checked.filter(isAffected).length;
  return [...groups].flatMap(([value, members]) => {
    const inGroup = members.filter(isAffected);
    const others = checked.length - members.length;
    const share = inGroup.length / members.length;
    const elsewhere = others === 0 ? 0 : (affectedInAll - inGroup.length) / others;
    const lift =
      (inGroup.length + 0.5) / (members.length + 1) / ((affectedInAll - inGroup.length + 0.5) / (others + 1));
    if (value === '' || inGroup.length < RECORDINGS_MIN || share < SHARE_MIN || lift < LIFT_MIN) return [];
    const [fromNs, toNs] = rangeOf(inGroup);
    return [{ ...about, value, with: inGroup.length, of: members.length, share, elsewhere, lift, fromNs, toNs }];
  });
}

function valueOf(recording: CheckedRecording, cause: CauseKind): string {
  if (cause !== 'day') return recording[cause];
  return new Date(Number((BigInt(recording.startNs) / NS_PER_DAY) * 86_400_000n)).toISOString().slice(0, 10);
}

function rangeOf(recordings: readonly CheckedRecording[]): readonly [string, string] {
  const starts = recordings.map(({ startNs }) => BigInt(startNs));
  const ends = recordings.map(({ endNs }) => BigInt(endNs));
  const least = starts.reduce((a, b) => (b < a ? b : a));
  const most = ends.reduce((a, b) => (b > a ? b : a));
  return [String(least), String(most)];
}
