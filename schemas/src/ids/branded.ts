/** Ids that cannot be mixed up: each brand is made only by its parser. */
import { FleetError } from '../errors/fleet-error.ts';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type VehicleId = Branded<'VehicleId'>;
export type CampaignId = Branded<'CampaignId'>;
export type EventId = Branded<'EventId'>;
export type Digest = Branded<'Digest'>;

/** Longest id accepted anywhere; ids become NATS subject tokens and file names. */
export const ID_LENGTH_MAX = 64;
const TOKEN = /^[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?$/;

function parseToken(kind: string, text: unknown): string {
  if (typeof text === 'string' && text.length <= ID_LENGTH_MAX && TOKEN.test(text)) return text;
  throw new FleetError(
    'REQUEST_INVALID',
    `${kind} ${JSON.stringify(text)} is not valid: use 1 to ${ID_LENGTH_MAX} of a-z, 0-9, '-' and '_', beginning and ending with a letter or digit`,
  );
}

/** @throws FleetError REQUEST_INVALID */
export const parseVehicleId = (text: unknown): VehicleId => parseToken('vehicle id', text) as VehicleId;

/** @throws FleetError REQUEST_INVALID */
export const parseCampaignId = (text: unknown): CampaignId => parseToken('campaign id', text) as CampaignId;

/** @throws FleetError REQUEST_INVALID */
export const parseEventId = (text: unknown): EventId => parseToken('event id', text) as EventId;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Whether `text` has the form `sha256:<64 hex digits>`. */
export const isDigest = (text: unknown): text is Digest => typeof text === 'string' && DIGEST.test(text);

/** @throws FleetError REQUEST_INVALID */
export function parseDigest(text: unknown): Digest {
  if (isDigest(text)) return text;
  throw new FleetError(
    'REQUEST_INVALID',
    `${JSON.stringify(text)} is not a digest: it must read sha256:<64 hex digits>`,
  );
}
