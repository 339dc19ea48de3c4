/** The hand-written signal codec, held against a general protobuf implementation that knows only the descriptor. */
import { createFileRegistry, fromBinary, toBinary, create } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SignalChannel } from '../capture/channel.ts';
import { decodeSignalValues, encodeSignalValues, signalDescriptorSet, signalSchemaName } from './signal-codec.ts';

const channelOf = (count: number): SignalChannel => ({
  kind: 'signal',
  topic: '/vss/Vehicle.Acceleration',
  signals: Array.from({ length: count }, (_, index) => ({
    path: `Vehicle.P${index}`,
    field: `f${index}`,
    unit: 'm/s^2',
  })),
});

const signalValue = fc.oneof(fc.double({ noNaN: true }), fc.constant(Number.NaN));

describe('signal codec', () => {
  it('brings back every value, NaN as absent', () => {
    fc.assert(
      fc.property(fc.array(signalValue, { minLength: 1, maxLength: 40 }), (values) => {
        const source = Float64Array.from(values);
        expect(decodeSignalValues(encodeSignalValues(source), source.length)).toEqual(source);
      }),
    );
  });

  it('is read by a general protobuf decoder that has only the descriptor', () => {
    const channel = channelOf(20);
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, signalDescriptorSet(channel)));
    const schema = registry.getMessage(signalSchemaName(channel));
    if (schema === undefined) throw new Error('the descriptor set lacks its own message');
    const values = Float64Array.from({ length: 20 }, (_, index) => (index === 3 ? Number.NaN : index * 1.25 - 7));
    const decoded = fromBinary(schema, encodeSignalValues(values)) as unknown as Record<string, number | undefined>;
    expect(channel.signals.map((signal) => decoded[signal.field] ?? Number.NaN)).toEqual([...values]);
    const encoded = toBinary(schema, create(schema, decoded as never));
    expect(decodeSignalValues(encoded, 20)).toEqual(values);
  });

  it('refuses bytes that are cut, of another wire type, or of an unknown field', () => {
    const bytes = encodeSignalValues(Float64Array.of(1, 2));
    const refusal = expect.objectContaining({ code: 'INGEST_MCAP_INVALID' });
    expect(() => decodeSignalValues(bytes.subarray(0, bytes.length - 1), 2)).toThrow(refusal);
    expect(() => decodeSignalValues(bytes, 1)).toThrow(refusal);
    expect(() => decodeSignalValues(Uint8Array.of(0x08, 0x01), 2)).toThrow(refusal);
    expect(() => decodeSignalValues(Uint8Array.of(0x80), 2)).toThrow(refusal);
  });
});
