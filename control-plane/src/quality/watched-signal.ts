/** Why: what is kept of one signal while a recording is read: its statistics, and its spikes where the standard bounds its changes. */
import type { WatchedSignal } from './judged.ts';
import { matchesPath } from './path-pattern.ts';
import type { SampleBlock } from './sample-block.ts';
import type { BoundSignal } from './signal-binding.ts';
import { SignalStatistics } from './signal-statistics.ts';
import { SpikeWatch } from './spike-watch.ts';
import type { Standard } from './standard.ts';

export function watchSignal(signal: BoundSignal, { values }: Standard): WatchedSignal {
  const { path, conversion } = signal;
  const bound = path === undefined ? undefined : values.spikes.find((each) => matchesPath(each.path, path));
  // Bounds are in the catalogue's unit, values in that of the recording.
  const scale = Math.abs(conversion?.scale ?? 0);
  const spikes =
    bound === undefined || scale === 0
      ? undefined
      : new SpikeWatch({ ...bound, step: bound.step / scale, perSecond: bound.perSecond / scale });
  return { signal, statistics: new SignalStatistics(), spikes };
}

/** Each signal takes what is in the block, which is empty then. */
export function takeBlock(block: SampleBlock, signals: readonly WatchedSignal[]): void {
  for (let column = 0; column < signals.length; column += 1) {
    const { statistics, spikes } = signals[column] as WatchedSignal;
    statistics.take(block, column);
    spikes?.take(block, column);
  }
  block.rows = 0;
}
