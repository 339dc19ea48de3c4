/** Why: what is kept of one signal while a recording is read: its statistics, and its spikes and steps where the standard bounds them. */
import type { WatchedSignal } from './judged.ts';
import { LevelWatch } from './level-watch.ts';
import { matchesPath } from './path-pattern.ts';
import type { SampleBlock } from './sample-block.ts';
import type { BoundSignal } from './signal-binding.ts';
import { SignalStatistics } from './signal-statistics.ts';
import { SpikeWatch } from './spike-watch.ts';
import type { Standard } from './standard.ts';
import { unitShifts } from './unit-shifts.ts';

export function watchSignal(signal: BoundSignal, standard: Standard): WatchedSignal {
  const { path, conversion } = signal;
  // Bounds are in the catalogue's unit, values in that of the recording.
  const scale = Math.abs(conversion?.scale ?? 0);
  return {
    signal,
    statistics: new SignalStatistics(),
    spikes: path === undefined || scale === 0 ? undefined : watchSpikes(path, scale, standard),
    levels: path === undefined ? undefined : watchLevels(path, scale, standard),
  };
}

function watchSpikes(path: string, scale: number, { values }: Standard): WatchedSignal['spikes'] {
  const bound = values.spikes.find((each) => matchesPath(each.path, path));
  if (bound === undefined) return undefined;
  return new SpikeWatch({ ...bound, step: bound.step / scale, perSecond: bound.perSecond / scale });
}

function watchLevels(path: string, scale: number, { values }: Standard): WatchedSignal['levels'] {
  const bound = values.steps.find((each) => matchesPath(each.path, path));
  if (bound === undefined) return undefined;
  const { step, perSecond, units, isUnitOnly } = bound;
  // How fast a quantity can change is not known in an unknown unit: there, only going back and forth tells.
  const limits =
    scale === 0 ? { step, perSecond: Number.POSITIVE_INFINITY } : { step: step / scale, perSecond: perSecond / scale };
  return { watch: new LevelWatch(limits, unitShifts(units)), isUnitOnly };
}

/** Each signal takes what is in the block, which is empty then. */
export function takeBlock(block: SampleBlock, signals: readonly WatchedSignal[]): void {
  for (let column = 0; column < signals.length; column += 1) {
    const { statistics, spikes, levels } = signals[column] as WatchedSignal;
    statistics.take(block, column);
    spikes?.take(block, column);
    levels?.watch.take(block, column);
  }
  block.rows = 0;
}
