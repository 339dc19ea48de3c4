/** Reads back what a closed recording writes: what simulations and tests hold against what was pushed. */
import type { SourceMessage } from '@fleetloop/schemas';
import { readRecording } from '@fleetloop/schemas/recording';
import type { ClosedRecording, RecorderEffect } from './recorder-effects.ts';

/** The whole file in memory. */
export async function recordingBytes(recording: ClosedRecording): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  await recording.write({
    write: async (bytes) => {
      parts.push(bytes.slice());
    },
  });
  return Buffer.concat(parts);
}

/** Messages in the order of the file, latched context first. */
export async function readRecorded(recording: ClosedRecording): Promise<readonly SourceMessage[]> {
  const messages: SourceMessage[] = [];
  for await (const item of readRecording([await recordingBytes(recording)]))
    if (item.kind === 'message') messages.push(item.message);
  return messages;
}

export const recordingsOf = (effects: readonly RecorderEffect[]): readonly ClosedRecording[] =>
  effects.flatMap((effect) => (effect.kind === 'close' ? [effect.recording] : []));
