/** What enrolment needs from the world. */
import type { EnrolledVehicle } from '../ingest/ports.ts';

/** Tells regions whom they may believe. */
export interface EnrolmentNotices {
  tell(vehicle: EnrolledVehicle): Promise<void>;
}

/** The account of the fleet at its server. */
export interface FleetAccount {
  /** The server closes connections of this key and takes no new ones. False when no server can be told. */
  cutOff(publicKey: string): Promise<boolean>;
}
