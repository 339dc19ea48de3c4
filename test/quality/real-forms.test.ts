/** Why: a change of form that is none would be said of every later recording. All drives of one recorder have one form, whatever is in them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { boundedForms, defaultStandard, KnownForms, RecordingCheck, type TopicForm } from '@fleetloop/control-plane';
import { describe, expect, it } from 'vitest';
import { readReal, RECORDINGS } from './real-recordings.ts';

const FOLDERS = [
  ['borealtc', 'ICE', 'imu'],
  ['borealtc', 'FLOORING', 'imu'],
  ['blackbox_drives', '.', 'drive'],
] as const;

async function formsOf(dataset: string, path: string): Promise<readonly TopicForm[]> {
  const checking = new RecordingCheck(defaultStandard());
  for (const message of (await readReal(dataset, path)).messages) checking.push(message);
  return boundedForms(checking.forms()).topics;
}

describe('the forms of real recordings', () => {
  it('do not change from drive to drive of one recorder', { timeout: 120_000 }, async () => {
    const known = new KnownForms();
    let compared = 0;
    for (const [dataset, folder, prefix] of FOLDERS) {
      for (const file of readdirSync(join(RECORDINGS, dataset, folder)).filter((name) => name.startsWith(prefix))) {
        const topics = await formsOf(dataset, join(folder, file));
        const software = { softwareName: 'recorder', softwareVersion: '1.0', generator: '' };
        const origin = { recording: file, vehicleId: dataset, hardwareRevision: dataset, ...software };
        const { changes, introduced } = known.compare(origin, topics);
        expect(changes, file).toEqual([]);
        known.addForms(origin, introduced);
        compared += topics.length - introduced.length;
      }
    }
    expect(compared).toBeGreaterThan(100);
  });
});
