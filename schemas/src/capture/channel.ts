/** What a source offers: signal channels (numbers named by VSS paths) and opaque channels (bytes with a schema). */

/** One number of a signal channel. `path` is a VSS path or an overlay path; `unit` is the catalogue's unit of that path. */
export type SignalDefinition = {
  readonly path: string;
  /** Field name in the channel's protobuf message, snake_case, unique in the channel. */
  readonly field: string;
  readonly unit: string;
};

/** Numbers that share one stamp, e.g. topic `/vss/Vehicle.Acceleration` with longitudinal, lateral, vertical. */
export type SignalChannel = {
  readonly kind: 'signal';
  readonly topic: string;
  readonly signals: readonly SignalDefinition[];
  /** Nominal rate in Hz, when the source declares one; a silence of more than 3 periods is a gap. */
  readonly rateHz?: number;
  /** Changes seldom or once: each recording carries its last value even when it came before the recording's start. */
  readonly isLatched?: boolean;
};

/** How a payload that is not one of our protobuf messages is described; all three go into the recording untouched (MCAP Schema, Channel). */
export type PayloadEncoding = {
  /** `json`, `cdr`, `protobuf`, `ros1`, `jpeg`… */
  readonly messageEncoding: string;
  /** `jsonschema`, `ros2msg`, `protobuf`… or empty for none. */
  readonly schemaEncoding: string;
  readonly schemaData: Uint8Array;
  /** What the source's own channel record says beside that, e.g. `offered_qos_profiles` of ROS 2. */
  readonly metadata?: Readonly<Record<string, string>>;
};

/** Bytes that pass through untouched, e.g. raw CAN frames. */
export type OpaqueChannel = {
  readonly kind: 'opaque';
  readonly topic: string;
  /** Name of the schema; a message of `@fleetloop/schemas/wire`, e.g. `fleetloop.capture.CanFrame`, unless `encoding` is given. */
  readonly schemaName: string;
  readonly encoding?: PayloadEncoding;
  readonly rateHz?: number;
  readonly isLatched?: boolean;
};

export type Channel = SignalChannel | OpaqueChannel;
