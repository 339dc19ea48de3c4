/** A sign of life with the few numbers that say how the vehicle is. */
import { create, toBinary } from '@bufbuild/protobuf';
import { HeartbeatSchema } from '@fleetloop/schemas/wire';

export const HEARTBEAT_INTERVAL_MS = 5_000;

export type HeartbeatFigures = {
  readonly vehicleId: string;
  readonly atMs: number;
  readonly rssBytes: number;
  readonly messagesCaptured: number;
  readonly recordingsSpooled: number;
  readonly spooledBytes: number;
  readonly activeBundle: string;
  readonly inferences: number;
};

/** Bytes of a Heartbeat message. */
export function encodeHeartbeat(figures: HeartbeatFigures): Uint8Array {
  return toBinary(
    HeartbeatSchema,
    create(HeartbeatSchema, {
      vehicleId: figures.vehicleId,
      atMs: BigInt(figures.atMs),
      rssBytes: BigInt(figures.rssBytes),
      messagesCaptured: BigInt(figures.messagesCaptured),
      recordingsSpooled: figures.recordingsSpooled,
      spooledBytes: BigInt(figures.spooledBytes),
      activeBundle: figures.activeBundle,
      inferences: BigInt(figures.inferences),
    }),
  );
}
