/** What a salvaged file says itself about what was lost. */
import type { McapMetadataRecord } from './recording-metadata.ts';
import type { SalvageReport } from './salvage-tally.ts';

/** Losses that the salvaged file carries itself; its report has more. */
const LOSSES_CARRIED_MAX = 64;
/** Name of the metadata record in which a salvaged file says what was lost. */
export const SALVAGE_METADATA = 'fleet.salvage';

export function salvageMetadata(report: SalvageReport): McapMetadataRecord {
  const { kept, lost, losses, lossCount, unproven, repaired, sizeBytes } = report;
  const metadata = new Map([
    ['sourceBytes', String(sizeBytes)],
    ['keptMessages', String(kept.messages)],
    ['unprovenMessages', String(unproven)],
    ['lostMessages', lost.messages === null ? '' : String(lost.messages)],
    ['repairedBits', String(repaired.length)],
    ['lossCount', String(lossCount)],
    ['losses', JSON.stringify(losses.slice(0, LOSSES_CARRIED_MAX))],
  ]);
  return { name: SALVAGE_METADATA, metadata };
}
