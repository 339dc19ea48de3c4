/** A spool of 10 GB as an agent leaves it behind: real recordings that the agent's own spool has written, digested and indexed. */
import { NodeDisk, Spool, systemClock } from '@fleetloop/edge-agent';
import { parseEventId } from '@fleetloop/schemas';
import { RecordingWriter } from '@fleetloop/schemas/recording';

/** Noise that does not compress, so that each recording is as large as its one frame. */
const FRAME_BYTES = 512_000;
const START_NS = 1_700_000_000_000_000_000n;
const NS_PER_S = 1_000_000_000n;
/** Recordings that are written at once. */
const WRITERS = 8;
const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const CHANNEL = {
  kind: 'opaque',
  topic: '/sensor/front/camera',
  schemaName: 'foxglove.CompressedImage',
  encoding: { messageEncoding: 'jpeg', schemaEncoding: '', schemaData: new Uint8Array(0) },
} as const;

export type FullSpoolOptions = {
  /** Folder of the spool. */
  readonly root: string;
  readonly vehicleId: string;
  readonly recordings: number;
  readonly quotaBytes: number;
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
};

/** Returns the bytes of all recordings. */
export async function fillSpool(options: FullSpoolOptions): Promise<number> {
  const { root, vehicleId, recordings, quotaBytes, signal, onProgress } = options;
  const limits = { quotaBytes, reserveBytes: 0, safetyFloorBytes: 0 };
  const spool = await Spool.open({ disk: new NodeDisk(), root, clock: systemClock, logger: QUIET, limits });
  const frame = new Uint8Array(FRAME_BYTES);
  for (let offset = 0; offset < FRAME_BYTES; offset += 50_000)
    crypto.getRandomValues(frame.subarray(offset, offset + 50_000));
  let next = 0;
  const write = async (): Promise<void> => {
    for (let index = next++; index < recordings; index = next++) {
      signal.throwIfAborted();
      await spool.add(recordingOf(vehicleId, index, frame), { isSettled: true });
      if (index % 2_000 === 0) onProgress(`${index} of ${recordings} recordings are written`);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
  await spool.close();
  return spool.counts().spooledBytes;
}

function recordingOf(vehicleId: string, index: number, frame: Uint8Array): Parameters<Spool['add']>[0] {
  const startNs = START_NS + BigInt(index) * NS_PER_S;
  const endNs = startNs + NS_PER_S - 1n;
  const id = parseEventId(`ev-${index.toString(16).padStart(24, '0')}`);
  const head = { id, priority: 'normal', session: 'bench', campaignIds: ['bench'], startNs, endNs } as const;
  const metadata = {
    vehicle: { id: vehicleId, hardwareRevision: 'A' },
    software: { name: 'bench', version: '1.0.0' },
    session: { name: 'bench', attributes: {} },
    clock: { source: 'bench', uncertaintyNs: '0' },
    event: {
      id,
      startNs: String(startNs),
      endNs: String(endNs),
      priority: head.priority,
      triggers: [],
      campaigns: ['bench'],
    },
    gaps: [],
    loss: {},
  };
  return {
    ...head,
    write: async (sink) => {
      let sizeBytes = 0;
      const counted = {
        write: async (bytes: Uint8Array): Promise<void> => {
          sizeBytes += bytes.length;
          await sink.write(bytes);
        },
      };
      const writer = await RecordingWriter.open(counted, metadata);
      await writer.write({
        kind: 'opaque',
        channel: CHANNEL,
        sequence: 0,
        logTimeNs: startNs,
        publishTimeNs: startNs,
        data: frame,
      });
      await writer.close();
      return { sizeBytes };
    },
  };
}
