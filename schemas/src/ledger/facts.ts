/** The kinds of facts that the ledger holds, each with its body; whatever the system knows is derived from these. */
import { z } from 'zod';
import { PULL_STATES, PullRequest } from '../assign/desired-state.ts';
import { Campaign } from '../campaign/campaign.ts';
import { digestText } from '../package/bundle.ts';
import { shortText, text } from './fact-fields.ts';
import { FEATURE_FACTS } from './feature-facts.ts';
import { MODEL_FACTS } from './model-facts.ts';
import { RECORDING_FACTS } from './recording-facts.ts';
import { ROLLOUT_FACTS } from './rollout-facts.ts';

/** Body of each fact kind. The kind's first word is the entity, whose id is the key of the ledger subject. */
export const FACTS = {
  'vehicle.enrolled': z.strictObject({
    vehicleId: shortText,
    publicKey: shortText,
    hardwareRevision: shortText,
    softwareVersion: shortText,
    place: z.string(),
    /** When its credentials stop to be good; absent: never. */
    expiresAt: z.iso.datetime().optional(),
  }),
  /** New credentials, for the key that it had or for another one. */
  'vehicle.renewed': z.strictObject({
    vehicleId: shortText,
    publicKey: shortText,
    expiresAt: z.iso.datetime().optional(),
  }),
  /** Nothing that this key signs is taken any more. */
  'vehicle.revoked': z.strictObject({ vehicleId: shortText, publicKey: shortText, reason: text }),
  'campaign.published': z.strictObject({
    campaign: Campaign,
    digest: digestText,
    vehicles: z.array(shortText).max(10_000),
    brief: z.string().nullable(),
  }),
  'campaign.ended': z.strictObject({ campaignId: shortText, vehicles: z.array(shortText).max(10_000), reason: text }),
  ...RECORDING_FACTS,
  'pull.requested': z.strictObject({ pullId: shortText, vehicleId: shortText, request: PullRequest }),
  'pull.cancelled': z.strictObject({ pullId: shortText, vehicleId: shortText, reason: text }),
  /** The vehicle has answered: what it captured, or why it could not. */
  'pull.finished': z.strictObject({
    pullId: shortText,
    vehicleId: shortText,
    state: z.enum(PULL_STATES),
    eventIds: z.array(z.string()).max(64),
    code: z.string().optional(),
    reason: text.optional(),
  }),
  'label.assigned': z.strictObject({ recording: digestText, label: shortText, annotator: shortText, method: text }),
  ...FEATURE_FACTS,
  ...MODEL_FACTS,
  ...ROLLOUT_FACTS,
  /** From this entry on, checkpoints are signed with another key; the former key says so, and the new one that it is held. */
  'checkpoint.key_rotated': z.strictObject({
    /** Verifier keys in the text form of Go's sumdb/note. */
    formerKey: shortText,
    key: shortText,
    /** A signed note that names both keys and carries a signature of each. */
    note: text,
    /** Sequence of the rotation before this one; 0 for the first. */
    formerRotation: z.int().min(0),
  }),
} as const;

export type FactKind = keyof typeof FACTS;
export type FactBody<Kind extends FactKind> = z.infer<(typeof FACTS)[Kind]>;
/** A fact as a tagged union over all kinds. */
export type Fact = { [Kind in FactKind]: { readonly kind: Kind; readonly body: FactBody<Kind> } }[FactKind];
