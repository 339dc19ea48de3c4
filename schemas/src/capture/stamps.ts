/** From the stamps of a source to UTC: the one place where a mapping's `time` is applied. */
import { type FileClock, makeFileClock } from '../time/utc-clock.ts';
import type { ClockMapping } from './mapping-formats.ts';
import { parseIsoNs } from './time-parser.ts';

/** `time` of a mapping without the form in which the stamps are written. */
export type StampDeclaration = { readonly epoch?: string | undefined; readonly clock?: ClockMapping | undefined };

/**
 * Makes the conversion of the stamps of one file, to be used in their order. `epoch` is added first. A clock that counts from the start
 * of its device stays on that count when neither `epoch` nor the clock's `offsetNs` tells when that was.
 */
export function makeStampClock({ epoch, clock }: StampDeclaration): FileClock {
  const epochNs = epoch === undefined ? 0n : (parseIsoNs(epoch) ?? 0n);
  const declared = clock ?? { kind: 'utc', uncertaintyNs: 0 };
  const file = makeFileClock(declared.kind === 'boot' ? { ...declared, offsetNs: declared.offsetNs ?? '0' } : declared);
  return { ...file, toUtcNs: (stampNs) => file.toUtcNs(stampNs + epochNs) };
}
