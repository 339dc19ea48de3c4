/** Why: a dataset is selected from what the ledger accepted and labelled; this is that view of it. */
import { filterableCircumstances } from '@fleetloop/schemas';
import type { CatalogueRecording } from '@fleetloop/workflows';
import type { Projection } from '../ports.ts';

/** All accepted recordings with their newest label, in the order of acceptance. */
export async function catalogueRecordings(projection: Projection): Promise<readonly CatalogueRecording[]> {
  const labels = new Map((await projection.facts('label.assigned')).map(({ body }) => [body.recording, body.label]));
  const recordings = new Map<string, CatalogueRecording>();
  for (const { body } of await projection.facts('recording.accepted')) {
    const { vehicle, software, session, brief } = body.metadata;
    recordings.set(body.recording, {
      recording: body.recording,
      session: session.name,
      source: body.source,
      vehicle: vehicle.id,
      hardwareRevision: vehicle.hardwareRevision,
      softwareVersion: software.version,
      brief: brief ?? null,
      label: labels.get(body.recording) ?? null,
      durationSeconds: Number(BigInt(body.endNs) - BigInt(body.startNs)) / 1e9,
      attributes: session.attributes,
      ...filterableCircumstances(body.metadata, body.timeOfDay),
    });
  }
  return [...recordings.values()];
}
