/** A recording of any size that is made while it is sent, so that neither disk nor memory has to hold it. */
import { randomFillSync } from 'node:crypto';
import type { OpaqueChannel, RecordingMetadata } from '@fleetloop/schemas';
import { RecordingWriter } from '@fleetloop/schemas/recording';

/** Doubles per message: about 1 kB with their field tags. */
const VALUES_PER_MESSAGE = 110;
const START_NS = 1_790_000_000_000_000_000n;
const PERIOD_NS = 1_000_000n;
/** Messages with different values; making new ones would cost more than what is measured. */
const MESSAGES_MADE = 4_096;
/** A camera: pictures of this size, one for so many messages of signals. */
const IMAGE_BYTES = 100_000;
const SIGNALS_PER_IMAGE = 10;
const IMAGES_MADE = 16;
const CAMERA: OpaqueChannel = {
  kind: 'opaque',
  topic: '/camera',
  schemaName: 'image',
  encoding: { messageEncoding: 'jpeg', schemaEncoding: '', schemaData: new Uint8Array(0) },
};

export type StreamedContent = 'signals' | 'camera and signals';

/** Pieces of a recording of about `sizeBytes` of incompressible numbers. Different `session`s have different bytes. */
export async function* streamedRecording(
  session: string,
  sizeBytes: number,
  content: StreamedContent = 'signals',
): AsyncGenerator<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let written = 0;
  const sink = {
    write: async (bytes: Uint8Array) => {
      pieces.push(Uint8Array.from(bytes));
      written += bytes.length;
    },
  };
  const writer = await RecordingWriter.open(sink, metadataOf(session));
  const signals = Array.from({ length: VALUES_PER_MESSAGE }, (_, index) => ({
    path: `Vehicle.Bench.Value${index}`,
    field: `value${index}`,
    unit: '',
  }));
  const channel = { kind: 'signal', topic: '/vss/Vehicle.Bench', signals } as const;
  const made = Array.from({ length: MESSAGES_MADE }, () => Float64Array.from(signals, () => Math.random()));
  const images = content === 'signals' ? [] : Array.from({ length: IMAGES_MADE }, makeImage);
  for (let sequence = 0; written < sizeBytes; sequence += 1) {
    const values = made[(sequence * 31) % MESSAGES_MADE] as Float64Array;
    const logTimeNs = START_NS + BigInt(sequence) * PERIOD_NS;
    await writer.write({ kind: 'signal', channel, sequence, logTimeNs, publishTimeNs: logTimeNs, values });
    const data = sequence % SIGNALS_PER_IMAGE === 0 ? images[(sequence / SIGNALS_PER_IMAGE) % IMAGES_MADE] : undefined;
    if (data !== undefined)
      await writer.write({ kind: 'opaque', channel: CAMERA, sequence, logTimeNs, publishTimeNs: logTimeNs, data });
    yield* pieces.splice(0);
  }
  await writer.close();
  yield* pieces.splice(0);
}

/** As a JPEG is to whoever does not decode it. */
function makeImage(): Uint8Array {
  return randomFillSync(new Uint8Array(IMAGE_BYTES));
}

function metadataOf(session: string): RecordingMetadata {
  return {
    vehicle: { id: 'bench-import', hardwareRevision: 'A' },
    software: { name: 'bench', version: '1.0.0' },
    session: { name: session, attributes: {} },
    clock: { source: 'bench', uncertaintyNs: '0' },
    gaps: [],
    loss: {},
  };
}
