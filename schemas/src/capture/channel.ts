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
};

/** Bytes that pass through untouched, e.g. raw CAN frames. */
export type OpaqueChannel = {
  readonly kind: 'opaque';
  readonly topic: string;
  /** Full name of a message of `@fleetloop/schemas/wire`, e.g. `fleetloop.capture.CanFrame`. */
  readonly schemaName: string;
  readonly rateHz?: number;
};

export type Channel = SignalChannel | OpaqueChannel;
