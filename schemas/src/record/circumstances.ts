/** Under which circumstances a drive took place, with what, by whom, and what the recording may be used for. */
import { z } from 'zod';

const shortText = z.string().min(1).max(256);
/** Purposes that a consent or a licence covers, e.g. `training`, `evaluation`, `publication`. */
const scope = z.array(z.string().min(1).max(64)).max(32);

/** Permission to use a recording; without `expiresAt` it does not end. */
const Permission = z.strictObject({
  /** Licence by its SPDX identifier, or the reference of the consent. */
  id: shortText,
  scope,
  expiresAt: z.iso.datetime().optional(),
});
export type Permission = z.infer<typeof Permission>;

/** What produced a recording that no vehicle drove. */
export const Synthetic = z.strictObject({
  generator: shortText,
  version: shortText,
  /** As text: a generator may take more than one number. */
  seed: shortText,
});
export type Synthetic = z.infer<typeof Synthetic>;

/** Everything is optional: what nobody declared is absent and never guessed. */
export const Circumstances = z.strictObject({
  weather: shortText.optional(),
  /** The kind of place: `motorway`, `urban`, `test-site`, … */
  placeClass: shortText.optional(),
  firmware: shortText.optional(),
  /** Models that ran on the vehicle, by name, with their version. */
  models: z.record(shortText, shortText).optional(),
  operator: shortText.optional(),
  consent: Permission.optional(),
  licence: Permission.optional(),
  synthetic: Synthetic.optional(),
});
export type Circumstances = z.infer<typeof Circumstances>;

/** Parts of a day by the height of the sun, as astronomers bound them: the horizon and 6° below it. */
export const TIMES_OF_DAY = ['day', 'twilight', 'night'] as const;

/** Found out while a recording is taken in, not declared by it. */
export const TimeOfDay = z.strictObject({
  part: z.enum(TIMES_OF_DAY),
  /** Height of the sun above the horizon at the recording's start; absent where the part was declared. */
  sunElevationDegrees: z.number().optional(),
  /** The position and UTC of a GNSS receiver in the recording, or the attributes of the session. */
  basis: z.enum(['gnss', 'attributes']),
});
export type TimeOfDay = z.infer<typeof TimeOfDay>;
