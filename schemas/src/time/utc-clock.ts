/** From a source's stamps to UTC for every clock whose relation to UTC is known without looking at arrivals. */
import { assertNever, FleetError } from '../errors/fleet-error.ts';
import { utcOfGps, utcOfTai } from './leap-seconds.ts';
import { type LocalReading, makeLocalZone } from './local-zone.ts';
import type { SourceClockDeclaration, SourceClockKind } from './source-clock.ts';

/** How far a stamp inside a repeated hour must jump back to show that the hour is being repeated, ns. */
const JUMP_BACK_NS = 30n * 60n * 1_000_000_000n;
const GPS_EPOCH_UNIX_NS = 315_964_800_000_000_000n;

export type UtcStamp = { readonly utcNs: bigint; readonly uncertaintyNs: bigint };

/** Converts the stamps of one source in their order. */
export type UtcClock = {
  /** @param nearUtcNs about when it was, where that is known (the arrival); it tells the two readings of a repeated hour apart */
  readonly toUtc: (stampNs: bigint, nearUtcNs?: bigint) => UtcStamp;
};

/** @throws FleetError CLOCK_INVALID for a boot clock without `offsetNs` */
export function makeUtcClock(declaration: SourceClockDeclaration): UtcClock {
  const ownNs = BigInt(declaration.uncertaintyNs);
  switch (declaration.kind) {
    case 'utc':
      return { toUtc: (stampNs) => ({ utcNs: stampNs, uncertaintyNs: ownNs }) };
    case 'gps': {
      const shiftNs = declaration.epoch === 'unix' ? GPS_EPOCH_UNIX_NS : 0n;
      return { toUtc: (stampNs) => widen(utcOfGps(stampNs - shiftNs), ownNs) };
    }
    case 'tai':
      return { toUtc: (stampNs) => widen(utcOfTai(stampNs), ownNs) };
    case 'boot': {
      if (declaration.offsetNs === undefined) {
        throw new FleetError(
          'CLOCK_INVALID',
          'stamps since boot cannot be put on UTC without their offset: declare `offsetNs` (UTC of the stamp 0)',
        );
      }
      const offsetNs = BigInt(declaration.offsetNs);
      return { toUtc: (stampNs) => ({ utcNs: stampNs + offsetNs, uncertaintyNs: ownNs }) };
    }
    case 'local':
      return makeLocalClock(declaration.zone, declaration.repeated, ownNs);
    default:
      return assertNever(declaration);
  }
}

const widen = ({ utcNs, uncertaintyNs }: UtcStamp, byNs: bigint): UtcStamp => ({
  utcNs,
  uncertaintyNs: uncertaintyNs + byNs,
});

function makeLocalClock(zone: string, repeated: 'first' | 'second', ownNs: bigint): UtcClock {
  const { read } = makeLocalZone(zone);
  let previousNs: bigint | undefined;
  let isSecondSeen = false;
  return {
    toUtc: (stampNs, nearUtcNs) => {
      const reading = read(stampNs);
      if (reading.kind !== 'repeated') isSecondSeen = false;
      else if (previousNs !== undefined && stampNs < previousNs - JUMP_BACK_NS) isSecondSeen = true;
      previousNs = stampNs;
      const known = isSecondSeen ? 'second' : undefined;
      return widen(choose(reading, stampNs, { nearUtcNs, known, repeated }), ownNs);
    },
  };
}

type Hints = {
  readonly nearUtcNs: bigint | undefined;
  readonly known: 'second' | undefined;
  readonly repeated: 'first' | 'second';
};

function choose(reading: LocalReading, stampNs: bigint, { nearUtcNs, known, repeated }: Hints): UtcStamp {
  switch (reading.kind) {
    case 'one':
      return { utcNs: stampNs - reading.aheadNs, uncertaintyNs: 0n };
    case 'skipped':
      return {
        utcNs: stampNs - reading.beforeAheadNs,
        uncertaintyNs: distance(reading.beforeAheadNs, reading.afterAheadNs),
      };
    case 'repeated': {
      const first = stampNs - reading.firstAheadNs;
      const second = stampNs - reading.secondAheadNs;
      if (known === 'second') return { utcNs: second, uncertaintyNs: 0n };
      if (nearUtcNs !== undefined) {
        const isFirst = distance(first, nearUtcNs) <= distance(second, nearUtcNs);
        return { utcNs: isFirst ? first : second, uncertaintyNs: 0n };
      }
      return { utcNs: repeated === 'first' ? first : second, uncertaintyNs: distance(first, second) };
    }
    default:
      return assertNever(reading);
  }
}

const distance = (a: bigint, b: bigint): bigint => (a > b ? a - b : b - a);

/** What a recording says of a source's clock: UTC = stamp + offset. */
export type FileClock = {
  readonly kind: SourceClockKind;
  readonly toUtcNs: (stampNs: bigint) => bigint;
  /** Offset of the last stamp, and the largest uncertainty of all so far; both 0 before the first. */
  readonly state: () => { readonly offsetNs: bigint; readonly uncertaintyNs: bigint };
};

/**
 * Converts the stamps of a file, in the order of the file.
 * @throws FleetError CLOCK_INVALID for a boot clock without `offsetNs`
 */
export function makeFileClock(declaration: SourceClockDeclaration): FileClock {
  const clock = makeUtcClock(declaration);
  let offsetNs = 0n;
  let uncertaintyNs = 0n;
  return {
    kind: declaration.kind,
    toUtcNs: (stampNs) => {
      const utc = clock.toUtc(stampNs);
      offsetNs = utc.utcNs - stampNs;
      if (utc.uncertaintyNs > uncertaintyNs) uncertaintyNs = utc.uncertaintyNs;
      return utc.utcNs;
    },
    state: () => ({ offsetNs, uncertaintyNs }),
  };
}
