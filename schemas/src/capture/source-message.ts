/** One message from a sensor source: what capture hands to triggers, features and recordings. */
import type { OpaqueChannel, SignalChannel } from './channel.ts';

type MessageHeader = {
  /** Counts per channel from 0, so that losses show. */
  readonly sequence: number;
  /** When the message was received, ns since the Unix epoch on the session's own clock. */
  readonly logTimeNs: bigint;
  /** The source's own stamp, ns; equal to logTimeNs if unknown. */
  readonly publishTimeNs: bigint;
};

export type SignalMessage = MessageHeader & {
  readonly kind: 'signal';
  /** The same object for all messages of one channel: compare by identity. */
  readonly channel: SignalChannel;
  /** One value per `channel.signals`, in the catalogue's units; NaN where the source had none. */
  readonly values: Float64Array;
};

export type OpaqueMessage = MessageHeader & {
  readonly kind: 'opaque';
  readonly channel: OpaqueChannel;
  /** The encoded protobuf message. */
  readonly data: Uint8Array;
};

export type SourceMessage = SignalMessage | OpaqueMessage;

/** What is known of the drive that messages belong to. */
export type SessionDescription = {
  /** Name of the drive session, e.g. `blackbox/drive_01` or `borealtc/ICE/03`; splits never cut through it. */
  readonly session: string;
  /** Free attributes declared by the mapping or the source (place, weather, firmware, mounting). */
  readonly attributes: Readonly<Record<string, string>>;
};
