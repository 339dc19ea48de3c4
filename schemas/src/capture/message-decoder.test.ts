/** Descriptors as they are found in files: whole ones, and those that leave out what a reader can know. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorSetSchema,
  type FileDescriptorSet,
} from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { makeMessageDecoder } from './message-decoder.ts';

const { DOUBLE, MESSAGE, ENUM } = FieldDescriptorProto_Type;
const label = FieldDescriptorProto_Label.OPTIONAL;

type Naming = { readonly vector: string; readonly frame: string; readonly jsonName: string };

/** `acme.Imu` with a double, a message that is nested in it, and an enum beside it; a like-named message stands outside. */
function imu({ vector, frame, jsonName }: Naming): FileDescriptorSet {
  const x = { name: 'x', number: 1, type: DOUBLE, label, jsonName: jsonName === '' ? '' : 'x' };
  return create(FileDescriptorSetSchema, {
    file: [
      {
        name: 'acme.proto',
        package: 'acme',
        syntax: 'proto3',
        enumType: [{ name: 'Frame', value: [{ name: 'BODY', number: 0 }] }],
        messageType: [
          { name: 'Vector', field: [] },
          {
            name: 'Imu',
            nestedType: [{ name: 'Vector', field: [x] }],
            field: [
              { name: 'device_time', number: 1, type: DOUBLE, label, jsonName },
              { name: 'accel', number: 2, type: MESSAGE, typeName: vector, label, jsonName: jsonName && 'accel' },
              { name: 'frame', number: 3, type: ENUM, typeName: frame, label, jsonName: jsonName && 'frame' },
            ],
          },
        ],
      },
    ],
  });
}

const double = (tag: number, value: number): readonly number[] => [
  tag,
  ...new Uint8Array(Float64Array.of(value).buffer),
];
const MESSAGE_BYTES = Uint8Array.from([...double(0x09, 1.5), 0x12, 9, ...double(0x09, 9.81)]);

function decode(descriptor: FileDescriptorSet): unknown {
  const data = toBinary(FileDescriptorSetSchema, descriptor);
  const schema = { id: 1, name: 'acme.Imu', encoding: 'protobuf', data };
  const channel = { id: 1, schemaId: 1, topic: '/imu', messageEncoding: 'protobuf', metadata: new Map(), schema };
  return makeMessageDecoder(channel)?.(MESSAGE_BYTES);
}

describe('the decoder of protobuf messages', () => {
  it.each<[string, Naming]>([
    ['whole names', { vector: '.acme.Imu.Vector', frame: '.acme.Frame', jsonName: 'deviceTime' }],
    ['no JSON names', { vector: '.acme.Imu.Vector', frame: '.acme.Frame', jsonName: '' }],
    ['names of types from where they stand', { vector: 'Vector', frame: 'Frame', jsonName: '' }],
    ['names of types from their package', { vector: 'Imu.Vector', frame: 'acme.Frame', jsonName: '' }],
  ])('reads messages by a descriptor with %s', (_name, naming) => {
    expect(decode(imu(naming))).toEqual({ deviceTime: 1.5, accel: { x: 9.81 }, frame: 'BODY' });
  });

  it('gives none for a descriptor that names a type which is not there', () => {
    expect(decode(imu({ vector: 'Quaternion', frame: 'Frame', jsonName: '' }))).toBeUndefined();
  });
});
