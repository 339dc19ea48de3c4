/** Small recordings with all that the spool reads of them, made once for each content. */
import { createHash } from 'node:crypto';
import type { SpoolableRecording } from '@fleetloop/edge-agent';
import { parseEventId, type Priority, type SignalChannel } from '@fleetloop/schemas';
import { RecordingWriter } from '@fleetloop/schemas/recording';

const SECOND = 1_000_000_000n;
const CHANNEL: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
};

export type SmallRecording = {
  readonly recording: SpoolableRecording;
  readonly digest: string;
  readonly sizeBytes: number;
};

const made = new Map<string, Promise<Uint8Array>>();

/** An event of `seconds` seconds; each number of seconds is another recording of the same event. */
export async function smallRecording(name: string, priority: Priority, seconds: number): Promise<SmallRecording> {
  const key = `${name} ${priority} ${seconds}`;
  const bytes = await (made.get(key) ?? remember(key, write(name, priority, seconds)));
  const recording: SpoolableRecording = {
    id: parseEventId(name),
    priority,
    session: name,
    startNs: SECOND,
    endNs: BigInt(seconds) * SECOND,
    campaignIds: ['campaign'],
    write: async (sink) => {
      // In two pieces, so that there is a middle.
      const half = Math.floor(bytes.length / 2);
      await sink.write(bytes.subarray(0, half));
      await sink.write(bytes.subarray(half));
      return { sizeBytes: bytes.length };
    },
  };
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { recording, digest, sizeBytes: bytes.length };
}

async function remember(key: string, bytes: Promise<Uint8Array>): Promise<Uint8Array> {
  made.set(key, bytes);
  return bytes;
}

async function write(name: string, priority: Priority, seconds: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const sink = { write: async (bytes: Uint8Array): Promise<void> => void pieces.push(bytes.slice()) };
  const endNs = (BigInt(seconds) * SECOND).toString();
  const writer = await RecordingWriter.open(sink, {
    vehicle: { id: 'v1', hardwareRevision: 'A' },
    software: { name: 's', version: '1' },
    session: { name, attributes: {} },
    clock: { source: 'session', uncertaintyNs: '0' },
    event: { id: name, startNs: SECOND.toString(), endNs, triggers: [], campaigns: ['campaign'], priority },
    gaps: [],
    loss: {},
  });
  for (let second = 1; second <= seconds; second += 1) {
    const timeNs = BigInt(second) * SECOND;
    const values = Float64Array.of(second);
    await writer.write({
      kind: 'signal',
      channel: CHANNEL,
      sequence: second,
      logTimeNs: timeNs,
      publishTimeNs: timeNs,
      values,
    });
  }
  await writer.close();
  return Buffer.concat(pieces);
}
