/** Why: the committed recordings as messages, read once, for the tests that check them as they are and with faults in copies. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CheckReport, defaultStandard, diskSourceFiles, RecordingCheck } from '@fleetloop/control-plane';
import type { Channel, SourceMessage } from '@fleetloop/schemas';
import { openSource, parseMappingText } from '@fleetloop/schemas/source';

export const RECORDINGS = join(import.meta.dirname, '../../sim/recordings');

export type RealRecording = {
  readonly messages: readonly SourceMessage[];
  readonly channels: readonly Channel[];
  readonly attributes: Readonly<Record<string, string>>;
};

/** @param path below sim/recordings, e.g. `borealtc/ICE/imu_00.csv.zst` */
export async function readReal(dataset: string, path: string, mappingName = 'mapping.json'): Promise<RealRecording> {
  const folder = join(RECORDINGS, dataset);
  const mapping = parseMappingText(readFileSync(join(folder, mappingName), 'utf8'), mappingName);
  const source = await openSource({ mapping, folder, sourcePath: join(folder, path), files: diskSourceFiles });
  const messages: SourceMessage[] = [];
  for await (const batch of source.batches()) messages.push(...batch);
  return { messages, channels: source.description.channels, attributes: source.description.attributes };
}

export function check({ messages, channels, attributes }: RealRecording): CheckReport {
  const checking = new RecordingCheck(defaultStandard());
  for (const message of messages) checking.push(message);
  return checking.finish({ declared: channels, attributes });
}
