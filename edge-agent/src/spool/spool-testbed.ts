/** Small recordings for the tests of the spool. */
import { parseEventId, type Priority, type SignalChannel } from '@fleetloop/schemas';
import { RecordingWriter } from '@fleetloop/schemas/recording';
import type { ByteSink } from '../ports.ts';
import type { SpoolableRecording } from './spool-entry.ts';

export const SECOND = 1_000_000_000n;
const CHANNEL: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
};

type EventOptions = { readonly priority?: Priority; readonly seconds?: number; readonly payloadBytes?: number };

export function event(
  id: string,
  { priority = 'normal', seconds = 3, payloadBytes = 0 }: EventOptions = {},
): SpoolableRecording {
  const endNs = BigInt(seconds) * SECOND;
  const write = async (sink: ByteSink): Promise<{ sizeBytes: number }> => {
    let sizeBytes = 0;
    const counting = {
      write: async (bytes: Uint8Array) => {
        sizeBytes += bytes.length;
        await sink.write(bytes);
      },
    };
    const writer = await RecordingWriter.open(counting, {
      vehicle: { id: 'v1', hardwareRevision: 'A' },
      software: { name: 's', version: '1' },
      session: { name: 'drive', attributes: { payload: randomText(payloadBytes) } },
      clock: { source: 'session', uncertaintyNs: '0' },
      event: { id, startNs: SECOND.toString(), endNs: endNs.toString(), triggers: [], campaigns: ['c'], priority },
      gaps: [],
      loss: {},
    });
    for (let second = 1; second <= seconds; second += 1) {
      const timeNs = BigInt(second) * SECOND;
      const stamps = { sequence: second, logTimeNs: timeNs, publishTimeNs: timeNs };
      await writer.write({ kind: 'signal', channel: CHANNEL, ...stamps, values: Float64Array.of(second) });
    }
    await writer.close();
    return { sizeBytes };
  };
  return { id: parseEventId(id), priority, session: 'drive', startNs: SECOND, endNs, campaignIds: ['c'], write };
}
const randomText = (length: number): string => Array.from({ length }, (_, index) => (index * 7919) % 10).join('');

export async function sizeOf(recording: SpoolableRecording): Promise<number> {
  return (await recording.write({ write: async () => {} })).sizeBytes;
}
