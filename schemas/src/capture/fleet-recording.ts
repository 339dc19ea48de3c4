/** Tells a recording that one of our agents or imports wrote, which goes into the catalogue as it is, from any other file. */
import { detectFormat, readStart } from './detect-format.ts';
import { makeMcapChannels } from './mcap-channels.ts';
import { readMcapStart } from './mcap-start.ts';
import type { SourceFiles } from './source-files.ts';
import { splitPath } from './source-name.ts';

/** Whether a file is plain MCAP with the metadata of our recordings. Damage behind its start is found when it is checked. */
export async function isFleetRecording(path: string, files: SourceFiles): Promise<boolean> {
  if ((await files.sizeOf(path)) === undefined) return false;
  if (detectFormat(await readStart(files, path)) !== 'mcap') return false;
  const { metadata } = await readMcapStart({ path, fileName: splitPath(path).name, files }, makeMcapChannels());
  return metadata.some((record) => record.name === 'fleet.vehicle');
}
