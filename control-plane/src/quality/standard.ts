/**
 * Why: what is asked of a recording is policy, so it is a document: figures per modality, with a version, whose digest stands in
 * every report. Fields that are left out have the values below.
 */
import { type Digest, FleetError, isUnitName, type JsonValue } from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import { z } from 'zod';
import { SEVERITIES } from './finding.ts';
import { isRuleName } from './rules.ts';
import { areConvertible } from './unit-shifts.ts';

const LIST_MAX = 1_024;
const text = z.string().min(1).max(256);
const positive = z.number().positive();
const share = z.number().positive().max(1);

/** When messages come. */
const Timing = z.strictObject({
  /** A regular topic is silent when no message comes for this many of its periods, and for this long. */
  gapPeriodsMin: positive.default(3.5),
  gapMsMin: positive.default(60),
  /** Gaps of one topic that are findings of their own; the longest ones. */
  gapsNamedMax: z.int().positive().max(64).default(8),
  /** Share of the declared rate that must be kept, and may not be exceeded by its inverse. */
  rateShareMin: share.default(0.8),
  /** Log times of a topic may go back by this much: threads that write at once. */
  backwardsMsMax: positive.default(50),
  /** Log and publish time may be this far apart, and their distance may vary by this much. */
  skewMsMax: positive.default(1_000),
  skewStepMsMax: positive.default(100),
  /** Parts in a million by which one of them may run faster. */
  driftPpmMax: positive.default(100),
  /** Log time and the receiver's own UTC may differ by this much. */
  gnssOffsetMsMax: positive.default(2_000),
  /** How close to a multiple of a quarter of an hour counts as a time zone. */
  zoneToleranceMs: positive.default(5_000),
  /** The recording's own statement of its uncertainty. */
  uncertaintyMsMax: positive.default(1_000),
});

/** Channels that share a quantity. */
const Alignment = z.strictObject({
  /** A lag beyond this, and beyond its own uncertainty three times over, is a finding. */
  lagMsMax: positive.default(150),
  /** Two series that are less alike say nothing about their lag. */
  correlationMin: share.default(0.7),
});

/** Acceleration and angular velocity. */
const Imu = z.strictObject({
  gravity: positive.default(9.80665),
  /** The length of the mean acceleration over a window may differ from gravity by this share. */
  lengthShareMax: share.default(0.06),
  windowMs: positive.default(10_000),
  /** Windows that must agree before anything is said. */
  windowsMin: z.int().positive().default(1),
  /** Longest mean acceleration, m/s², of a sensor whose gravity was taken out. */
  withoutGravityMax: positive.default(0.5),
  /** Least share of gravity on the vertical axis of an upright sensor. */
  verticalShareMin: share.default(0.75),
});

/** Quantities that follow from each other. */
const Motion = z.strictObject({
  /** A slope or a ratio beyond this factor, either way, is another unit. */
  accelerationFactorMax: positive.default(2.2),
  yawFactorMax: positive.default(2.2),
  lateralFactorMax: positive.default(2.5),
  speedFactorMax: positive.default(1.2),
  /** Standard errors that a correlation must be away from zero before its sign counts. */
  deviationsMin: positive.default(5),
  /** Below this speed, m/s, heading and course say nothing. */
  movingMpsMin: positive.default(3),
});

/** Single signals, by VSS path; a `*` stands for any text. */
const Values = z.strictObject({
  ranges: z
    .array(z.strictObject({ path: text, min: z.number(), max: z.number() }))
    .max(LIST_MAX)
    .default([]),
  /** Coarsest step that a signal may have, in the catalogue's unit. */
  resolutions: z
    .array(z.strictObject({ path: text, max: positive }))
    .max(LIST_MAX)
    .default([]),
  /** Most that one value may be away from both its neighbours: at once, and more for each second between them, in the catalogue's unit. */
  spikes: z
    .array(
      z.strictObject({
        path: text,
        step: positive,
        perSecond: z.number().nonnegative().default(0),
        /** Only of recordings in which the vehicle got this fast: slow ones, off the road, hit things. */
        fromMps: z.number().nonnegative().default(0),
      }),
    )
    .max(LIST_MAX)
    .default([]),
  /** Most that a level may step and stay there: at once, and more for each second, in the catalogue's unit; units that sources mix up. */
  steps: z
    .array(
      z.strictObject({
        path: text,
        step: positive,
        perSecond: z.number().nonnegative().default(0),
        units: z.array(z.string()).max(16).refine(areConvertible, 'are no known units of one quantity').default([]),
        /** Only steps between two of the units are findings: the signal may leap by itself. */
        isUnitOnly: z.boolean().default(false),
      }),
    )
    .max(LIST_MAX)
    .default([]),
  /** Signals of sensors with noise: they move at every sample, and nothing holds them at an end of their range. */
  lively: z.array(text).max(LIST_MAX).default([]),
  /** Signals that must move while the vehicle moves. */
  moving: z.array(text).max(LIST_MAX).default([]),
  frozenMsMin: positive.default(2_000),
  frozenSamplesMin: z.int().positive().default(8),
  /** Share of a recording that a signal may be absent before it is said. */
  absentShareMax: share.default(0.02),
});

const Location = z.strictObject({
  /** Fastest that a vehicle of this fleet can go, m/s, and the noise of a position, m. */
  speedMpsMax: positive.default(70),
  noiseM: positive.default(60),
  /** Places by a word of the session's attribute `place`, with the box that it must lie in. */
  places: z
    .array(
      z.strictObject({
        word: text,
        latitude: z.tuple([z.number(), z.number()]),
        longitude: z.tuple([z.number(), z.number()]),
      }),
    )
    .max(LIST_MAX)
    .default([]),
});

/** What must be there. Exactly one of topic and path. */
const Expected = z.strictObject({
  topic: text.optional(),
  path: text.optional(),
  rateHz: positive.optional(),
});

/** Names of fields in JSON and ROS messages, lower case with `_`, unit and axis left out. `axes` continues the path for x, y, z. */
const FieldName = z.strictObject({
  names: z.array(text).min(1).max(64),
  path: text,
  axes: z.tuple([text, text, text]).optional(),
  /** Unit where the name carries none; absent: it is to be found out. */
  unit: z.string().refine(isUnitName, 'is not a known unit').optional(),
});

const ruleName = z.string().refine((name) => isRuleName(name) as boolean, 'is not a rule');
const rulePattern = z
  .string()
  .refine((name) => isRuleName(name) || /^[a-z]+\.\*$/.test(name), 'is neither a rule nor `<group>.*`');

const StandardDocument = z.strictObject({
  kind: z.literal('quality-standard'),
  name: text,
  version: z.int().positive(),
  description: z.string().max(4_096).optional(),
  /** Rules whose findings of severity error keep a recording out of the catalogue. */
  quarantineOn: z.array(rulePattern).max(LIST_MAX),
  /** Rules that are off, or weigh more or less than they do by themselves. */
  rules: z
    .record(ruleName, z.strictObject({ isOff: z.boolean().optional(), severity: z.enum(SEVERITIES).optional() }))
    .default({}),
  timing: Timing.prefault({}),
  alignment: Alignment.prefault({}),
  imu: Imu.prefault({}),
  motion: Motion.prefault({}),
  values: Values.prefault({}),
  location: Location.prefault({}),
  expected: z.array(Expected).max(LIST_MAX).default([]),
  fields: z.array(FieldName).max(LIST_MAX).default([]),
});

export type StandardRules = z.infer<typeof StandardDocument>;
/** A standard that was read, with the digest of its document as it was written. */
export type Standard = StandardRules & { readonly digest: Digest };

/**
 * Checks a standard document.
 * @throws FleetError STANDARD_INVALID naming each field that is wrong
 */
export function parseStandard(document: unknown): Standard {
  const parsed = StandardDocument.safeParse(document);
  if (!parsed.success)
    throw new FleetError('STANDARD_INVALID', `the quality standard is not valid: ${z.prettifyError(parsed.error)}`);
  return { ...parsed.data, digest: digestOfDocument(document as JsonValue) };
}
