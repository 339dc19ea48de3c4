/** Puts the stamps of one live source on the session's clock, and says by how much and how surely. */
import type { RecordingClock } from '@fleetloop/schemas';
import {
  type BootClockDeclaration,
  BootOffsetEstimator,
  makeUtcClock,
  type SourceClockDeclaration,
  type UtcClock,
} from '@fleetloop/schemas/time';

/** The session's clock against UTC, as `SessionClock` knows it. */
export type SessionUtc = {
  /** UTC = session time + this. */
  readonly wallAheadNs: bigint;
  readonly wallUncertaintyNs: bigint;
};

export type SourceRecord = NonNullable<RecordingClock['sources']>[number];

/** One per topic that declares a clock. */
export type SourceClockConverter = {
  /** @param arrivalNs session time at which the message came */
  readonly toSessionNs: (stampNs: bigint, arrivalNs: bigint) => bigint;
  /** What a recording says of the topic: UTC = stamp + offsetNs; undefined before the first message. */
  readonly record: (topic: string) => SourceRecord | undefined;
  /** Session time was moved by `byNs`: a new session has begun. */
  readonly rebase: (byNs: bigint) => void;
  /** Jumps of the source's clock that were noticed; only a clock that is estimated can show them. */
  readonly jumps: () => number;
};

/** @param sessionUtc asked at each message, as the wall clock moves against session time */
export function makeSourceClockConverter(
  declaration: SourceClockDeclaration,
  sessionUtc: () => SessionUtc,
): SourceClockConverter {
  if (declaration.kind === 'boot' && declaration.offsetNs === undefined) return estimated(declaration, sessionUtc);
  return known(declaration.kind, makeUtcClock(declaration), sessionUtc);
}

function known(kind: SourceRecord['kind'], clock: UtcClock, sessionUtc: () => SessionUtc): SourceClockConverter {
  let offsetNs: bigint | undefined;
  let uncertaintyNs = 0n;
  return {
    toSessionNs: (stampNs, arrivalNs) => {
      const { wallAheadNs } = sessionUtc();
      const utc = clock.toUtc(stampNs, arrivalNs + wallAheadNs);
      offsetNs = utc.utcNs - stampNs;
      uncertaintyNs = utc.uncertaintyNs;
      return utc.utcNs - wallAheadNs;
    },
    record: (topic) => (offsetNs === undefined ? undefined : record(topic, { kind, offsetNs, uncertaintyNs })),
    rebase: () => {},
    jumps: () => 0,
  };
}

function estimated(declaration: BootClockDeclaration, sessionUtc: () => SessionUtc): SourceClockConverter {
  const estimator = new BootOffsetEstimator(declaration);
  return {
    toSessionNs: (stampNs, arrivalNs) => {
      estimator.add(stampNs, arrivalNs);
      return stampNs + (estimator.estimate()?.offsetNs ?? 0n);
    },
    record: (topic) => {
      const estimate = estimator.estimate();
      if (estimate === undefined) return undefined;
      const { wallAheadNs, wallUncertaintyNs } = sessionUtc();
      const offsetNs = estimate.offsetNs + wallAheadNs;
      return record(topic, { kind: 'boot', offsetNs, uncertaintyNs: estimate.uncertaintyNs + wallUncertaintyNs });
    },
    rebase: (byNs) => estimator.rebase(byNs),
    jumps: () => estimator.jumps,
  };
}

function record(
  topic: string,
  { kind, offsetNs, uncertaintyNs }: { kind: SourceRecord['kind']; offsetNs: bigint; uncertaintyNs: bigint },
): SourceRecord {
  return { topic, kind, offsetNs: offsetNs.toString(), uncertaintyNs: uncertaintyNs.toString() };
}
