/** What takes the messages of the uplink: ingest at the centre, a relay in a region. */
import type { Digest, ErrorCode } from '@fleetloop/schemas';
import type { Receipt } from '@fleetloop/schemas/wire';

/** What became of a message; `receipt` is what the vehicle is told. */
export type IntakeOutcome =
  | { readonly kind: 'stored' }
  | {
      readonly kind: 'verified';
      readonly receipt: Receipt;
      readonly recording: Digest;
      readonly sequence: number;
      readonly isNew: boolean;
    }
  /** Whole, good and on the disk of a relay, which answers for bringing it to the centre. */
  | { readonly kind: 'kept'; readonly receipt: Receipt; readonly recording: Digest }
  | { readonly kind: 'incomplete'; readonly receipt: Receipt }
  | {
      readonly kind: 'refused';
      readonly receipt: Receipt | undefined;
      readonly code: ErrorCode;
      readonly message: string;
    };

/** One chunk message. */
export type ArrivedChunk = {
  /** The digest in its header. */
  readonly claimed: string | undefined;
  readonly bytes: Uint8Array;
};

/** Every method @throws FleetError with `retryable` when the message could not be taken now; each may be repeated. */
export interface Intake {
  takeChunk(vehicleId: string, chunk: ArrivedChunk): Promise<IntakeOutcome>;
  takeManifest(vehicleId: string, bytes: Uint8Array): Promise<IntakeOutcome>;
  takeTombstone(vehicleId: string, bytes: Uint8Array): Promise<IntakeOutcome>;
  /** @throws FleetError also for good, when the report is not to be believed */
  takeRelayRefusal(vehicleId: string, bytes: Uint8Array): Promise<IntakeOutcome>;
}

/** An intake beside which chunks may be staged by somebody else. */
export interface GatedIntake extends Intake {
  /** What is answered whatever the bytes of a chunk are; undefined where it is to be staged, if it has the digest that it claims. */
  admitChunk(vehicleId: string, claimed: string | undefined): Promise<IntakeOutcome | undefined>;
}
