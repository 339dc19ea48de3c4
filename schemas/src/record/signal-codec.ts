/** Protobuf coding of signal messages: field i+1 is `optional double`, absent for NaN. Hand-written because it is on the capture hot path. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import type { SignalChannel } from '../capture/channel.ts';
import { FleetError } from '../errors/fleet-error.ts';

/** Most signals in one channel; keeps tags within two bytes. */
export const SIGNALS_PER_CHANNEL_MAX = 2_000;
/** Package of the message types of signal channels. */
export const SIGNAL_SCHEMA_PREFIX = 'fleetloop.vss.';
const WIRE_TYPE_64_BIT = 1;
/** Fields whose tag is one byte. */
const SHORT_TAGS = 15;

/** Most bytes that one signal takes: a tag of two bytes and a double. */
export const SIGNAL_BYTES_MAX = 10;

/** Encodes one message. `values` has one entry per signal of the channel. */
export function encodeSignalValues(values: Float64Array): Uint8Array {
  const buffer = new Uint8Array(values.length * SIGNAL_BYTES_MAX);
  return buffer.subarray(0, encodeSignalValuesInto(values, new DataView(buffer.buffer), 0));
}

/** The same into memory that is there already, at `start`; returns the offset behind the message. */
export function encodeSignalValuesInto(values: Float64Array, view: DataView, start: number): number {
  let offset = start;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as number;
    if (Number.isNaN(value)) continue;
    const tag = ((index + 1) << 3) | WIRE_TYPE_64_BIT;
    if (tag < 0x80) {
      view.setUint8(offset, tag);
      offset += 1;
    } else {
      view.setUint8(offset, (tag & 0x7f) | 0x80);
      view.setUint8(offset + 1, tag >>> 7);
      offset += 2;
    }
    view.setFloat64(offset, value, true);
    offset += 8;
  }
  return offset;
}

/**
 * Decodes one message into `signalCount` values, NaN where a field is absent.
 * @throws FleetError INGEST_MCAP_INVALID when the bytes are not such a message
 */
export function decodeSignalValues(data: Uint8Array, signalCount: number): Float64Array {
  const values = new Float64Array(signalCount);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  decodeSignalValuesInto(values, data, view, { start: 0, end: data.length });
  return values;
}

/**
 * The same for bytes [start, end) into memory that is there already; `view` is over `bytes`.
 * @throws FleetError INGEST_MCAP_INVALID
 */
export function decodeSignalValuesInto(
  values: Float64Array,
  bytes: Uint8Array,
  view: DataView,
  { start, end }: { readonly start: number; readonly end: number },
): void {
  if (decodeFullMessage(values, bytes, view, { start, end })) return;
  values.fill(Number.NaN);
  for (let offset = start; offset < end; offset += 8) {
    let tag = bytes[offset] as number;
    offset += 1;
    if (tag >= 0x80) {
      tag = (tag & 0x7f) | ((offset < end ? (bytes[offset] as number) : 0x80) << 7);
      offset += 1;
    }
    const index = (tag >>> 3) - 1;
    if ((tag & 7) !== WIRE_TYPE_64_BIT || index < 0 || index >= values.length || offset + 8 > end) {
      throw new FleetError(
        'INGEST_MCAP_INVALID',
        `a signal message is malformed at byte ${offset - start}: its source encoded it wrongly`,
      );
    }
    values[index] = view.getFloat64(offset, true);
  }
}

/** Most messages hold every field in its order: then the tags need only be compared. False for any other message. Hot path. */
function decodeFullMessage(
  values: Float64Array,
  bytes: Uint8Array,
  view: DataView,
  { start, end }: { readonly start: number; readonly end: number },
): boolean {
  const shortTags = Math.min(values.length, SHORT_TAGS);
  if (end - start !== values.length * 10 - shortTags) return false;
  let offset = start;
  let tag = (1 << 3) | WIRE_TYPE_64_BIT;
  for (let index = 0; index < shortTags; index += 1, tag += 8, offset += 9) {
    if (bytes[offset] !== tag) return false;
    values[index] = view.getFloat64(offset + 1, true);
  }
  for (let index = shortTags; index < values.length; index += 1, tag += 8, offset += 10) {
    if (bytes[offset] !== ((tag & 0x7f) | 0x80) || bytes[offset + 1] !== tag >>> 7) return false;
    values[index] = view.getFloat64(offset + 2, true);
  }
  return true;
}

/**
 * Checks that bytes [start, end) are a message that `decodeSignalValues` accepts, without making its values.
 * @throws FleetError INGEST_MCAP_INVALID
 */
export function checkSignalValues(bytes: Uint8Array, start: number, end: number, signalCount: number): void {
  let offset = start;
  while (offset < end) {
    let tag = bytes[offset] as number;
    offset += 1;
    if (tag >= 0x80) {
      tag = (tag & 0x7f) | ((offset < end ? (bytes[offset] as number) : 0x80) << 7);
      offset += 1;
    }
    const index = (tag >>> 3) - 1;
    if ((tag & 7) !== WIRE_TYPE_64_BIT || index < 0 || index >= signalCount || offset + 8 > end) {
      throw new FleetError(
        'INGEST_MCAP_INVALID',
        `a signal message is malformed at byte ${offset - start}: its source encoded it wrongly`,
      );
    }
    offset += 8;
  }
}

/** Protobuf message name of a channel: `fleetloop.vss.VehicleAcceleration` for `/vss/Vehicle.Acceleration`. */
export function signalSchemaName(channel: SignalChannel): string {
  const words = channel.topic.split(/[^A-Za-z0-9]+/).filter((word) => word !== '' && word !== 'vss');
  return `fleetloop.vss.${words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('')}`;
}

/** The channel's message type as a binary FileDescriptorSet, as MCAP's protobuf profile asks for. */
export function signalDescriptorSet(channel: SignalChannel): Uint8Array {
  const fullName = signalSchemaName(channel);
  const name = fullName.slice('fleetloop.vss.'.length);
  const file = create(FileDescriptorProtoSchema, {
    name: `fleetloop/vss/${name}.proto`,
    package: 'fleetloop.vss',
    syntax: 'proto3',
    messageType: [
      {
        name,
        field: channel.signals.map((signal, index) => ({
          name: signal.field,
          number: index + 1,
          label: FieldDescriptorProto_Label.OPTIONAL,
          type: FieldDescriptorProto_Type.DOUBLE,
          proto3Optional: true,
          oneofIndex: index,
        })),
        oneofDecl: channel.signals.map((signal) => ({ name: `_${signal.field}` })),
      },
    ],
  });
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [file] }));
}
