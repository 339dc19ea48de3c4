/** Why: whether a signal keeps its unit, and whether its level stays where a vehicle can bring it. */
import { at, type Judged, type WatchedSignal } from './judged.ts';
import type { LevelStep, StepTally } from './level-steps.ts';
import type { BoundSignal } from './signal-binding.ts';
import type { Mixture } from './unit-mixture.ts';

type Level = { readonly topic: string; readonly watched: WatchedSignal };

export function judgeLevels(judged: Judged): void {
  for (const { topic, signals } of judged.topics) {
    for (const watched of signals) {
      const { levels } = watched;
      if (levels === undefined) continue;
      const { betweenUnits, others } = levels.watch.steps;
      const mixture = levels.watch.mixture.found;
      if (mixture !== undefined && mixture.changes >= (betweenUnits?.count ?? 0))
        addMixture(judged, { topic, watched }, mixture);
      else if (betweenUnits !== undefined) addUnitChange(judged, { topic, watched }, betweenUnits);
      if (others !== undefined && !levels.isUnitOnly && mixture === undefined)
        addStep(judged, { topic, watched }, others);
    }
  }
}

/** Whether a unit changes within a signal; what compares it with others over the whole recording finds no one factor then. */
export function changesUnit({ topics }: Pick<Judged, 'topics'>, signal: BoundSignal): boolean {
  const watched = topics.flatMap(({ signals }) => signals).find((each) => each.signal === signal);
  const watch = watched?.levels?.watch;
  return watch?.mixture.found !== undefined || watch?.steps.betweenUnits !== undefined;
}

function addMixture(judged: Judged, { topic, watched }: Level, mixture: Mixture): void {
  const { shift, first, last, changes } = mixture;
  const values = last.sample - first.sample + 1;
  judged.list.add('value.unit-change', {
    topic,
    fromNs: at(judged, first.fromNs),
    toNs: at(judged, last.toNs),
    message: `${labelOf(watched)} changes ${changes} times in ${values} values by what ${shift.from} and ${shift.to} are apart, first from ${digits(first.before)} to ${digits(first.after)}: two sources in one column`,
    evidence: { ...evidenceOf(watched, first), unitBefore: shift.from, unitAfter: shift.to, changes, values },
  });
}

function addUnitChange(judged: Judged, { topic, watched }: Level, { count, first, last }: StepTally): void {
  const { shift } = first;
  if (shift === undefined) return;
  judged.list.add('value.unit-change', {
    topic,
    fromNs: at(judged, first.fromNs),
    toNs: at(judged, last.toNs),
    message: `${stepOf(watched, first)}, as from ${shift.from} to ${shift.to}${timesOf(count)}`,
    evidence: { ...evidenceOf(watched, first), unitBefore: shift.from, unitAfter: shift.to, changes: count },
  });
}

function addStep(judged: Judged, { topic, watched }: Level, { count, first, last }: StepTally): void {
  judged.list.add('value.step', {
    topic,
    fromNs: at(judged, first.fromNs),
    toNs: at(judged, last.toNs),
    message: `${stepOf(watched, first)}: no vehicle changes that fast by itself${timesOf(count)}`,
    evidence: { ...evidenceOf(watched, first), changes: count },
  });
}

function stepOf(watched: WatchedSignal, { before, after, fromNs, toNs }: LevelStep): string {
  return `${labelOf(watched)} goes from ${digits(before)} to ${digits(after)} within ${((toNs - fromNs) / 1e9).toFixed(2)} s and stays there`;
}

function timesOf(count: number): string {
  return count === 1 ? '' : `; ${count} times in all`;
}

function digits(value: number): string {
  return value.toPrecision(4);
}

function labelOf({ signal }: WatchedSignal): string {
  return signal.path ?? signal.name;
}

function evidenceOf(
  { signal }: WatchedSignal,
  { before, after, fromNs, toNs }: Pick<LevelStep, 'before' | 'after' | 'fromNs' | 'toNs'>,
): Readonly<Record<string, string | number>> {
  return {
    field: signal.name,
    ...(signal.path === undefined ? {} : { path: signal.path }),
    before,
    after,
    factor: after / before,
    seconds: (toNs - fromNs) / 1e9,
  };
}
