/** Messages of foreign files as plain values, where the file brings along what is needed to read them: JSON, protobuf, ROS 2, and our own signals. */
import { createFileRegistry, fromBinary, toJson } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { StoredChannel } from '../record/recording-messages.ts';
import { decodeSignalValues, SIGNAL_SCHEMA_PREFIX } from '../record/signal-codec.ts';
import { completeNames } from './descriptor-names.ts';
import { parseJsonMessage } from './json-fields.ts';
import { makeRos2Decoder } from './ros2-message.ts';

/** Longest protobuf descriptor set, bytes. */
const DESCRIPTOR_BYTES_MAX = 4 * 1024 * 1024;
/** Longest protobuf message that is made into values, bytes. */
const PROTOBUF_MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** Gives the value of a message; throws a plain error for bytes that are none of its kind. */
export type MessageDecoder = (data: Uint8Array) => unknown;

/** The decoder of a channel, or undefined when the file or this program lacks what it takes. */
export function makeMessageDecoder(channel: StoredChannel): MessageDecoder | undefined {
  const { messageEncoding, schema, metadata } = channel;
  try {
    if (messageEncoding === 'json') return parseJsonMessage;
    if (messageEncoding === 'protobuf' && schema?.encoding === 'protobuf') {
      const signals = metadata.get('signals');
      if (schema.name.startsWith(SIGNAL_SCHEMA_PREFIX) && signals !== undefined) return signalDecoder(signals);
      return protobufDecoder(schema.name, schema.data);
    }
    if (messageEncoding === 'cdr' && schema?.encoding === 'ros2msg') return makeRos2Decoder(schema.data);
  } catch {
    // A schema that is broken leaves the bytes readable as bytes.
  }
  return undefined;
}

/** Values by VSS path, absent where the source had none. */
function signalDecoder(signals: string): MessageDecoder {
  const paths = (JSON.parse(signals) as readonly { readonly path: string }[]).map(({ path }) => path);
  return (data) => {
    const values = decodeSignalValues(data, paths.length);
    return Object.fromEntries(
      paths.flatMap((path, index) => (Number.isNaN(values[index]) ? [] : [[path, values[index] as number]])),
    );
  };
}

function protobufDecoder(name: string, descriptorSet: Uint8Array): MessageDecoder | undefined {
  if (descriptorSet.length > DESCRIPTOR_BYTES_MAX) return undefined;
  const descriptors = fromBinary(FileDescriptorSetSchema, descriptorSet);
  completeNames(descriptors);
  const registry = createFileRegistry(descriptors);
  const message = registry.getMessage(name);
  if (message === undefined) return undefined;
  return (data) => {
    if (data.length > PROTOBUF_MESSAGE_BYTES_MAX)
      throw new Error(`a message of ${data.length} bytes is longer than ${PROTOBUF_MESSAGE_BYTES_MAX}`);
    return toJson(message, fromBinary(message, data), { registry, alwaysEmitImplicit: true });
  };
}
