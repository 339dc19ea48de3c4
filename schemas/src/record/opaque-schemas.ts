/** Descriptor sets of the message types that opaque channels may carry. */
import { create, type DescFile, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { FleetError } from '../errors/fleet-error.ts';
import { CanFrameSchema, file_fleetloop_capture } from '../gen/fleetloop/capture_pb.js';
import { file_fleetloop_infer, InferenceSchema } from '../gen/fleetloop/infer_pb.js';

const FILES: ReadonlyMap<string, DescFile> = new Map<string, DescFile>([
  [CanFrameSchema.typeName, file_fleetloop_capture],
  [InferenceSchema.typeName, file_fleetloop_infer],
]);

/** Whether a message type is one of ours, whose descriptor set need not travel with the channel. */
export function isOpaqueSchema(schemaName: string): boolean {
  return FILES.has(schemaName);
}

/**
 * Binary FileDescriptorSet (with imports) of a message type, as MCAP's protobuf profile asks for.
 * @throws FleetError SOURCE_FORMAT for a type that is not in `@fleetloop/schemas/wire`
 */
export function opaqueDescriptorSet(schemaName: string): Uint8Array {
  const file = FILES.get(schemaName);
  if (file === undefined) {
    throw new FleetError(
      'SOURCE_FORMAT',
      `no message type ${schemaName} is known: use one of ${[...FILES.keys()].join(', ')}`,
    );
  }
  const files = [...file.dependencies, file].map((each) => each.proto);
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: files }));
}
