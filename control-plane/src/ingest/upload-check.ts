/** The last question before a recording is taken: is it the one that its manifest names? */
import { type Digest, FleetError } from '@fleetloop/schemas';
import type { Assembled } from './assemble.ts';
import { checkClaim, type RecordingClaim, type RecordingSummary } from './recording-check.ts';

/**
 * Holds an assembled recording against the manifest that brought it.
 * @throws FleetError INGEST_RECORDING_DIGEST, or what is wrong with the recording
 */
export function checkUpload(
  assembled: Assembled,
  manifest: RecordingClaim & { readonly recording: Digest },
): RecordingSummary {
  if (assembled.digest !== manifest.recording) {
    throw new FleetError(
      'INGEST_RECORDING_DIGEST',
      `the chunks make a recording with ${assembled.digest}, but the manifest names ${manifest.recording}`,
    );
  }
  if (assembled.check.kind === 'bad') throw assembled.check.error;
  checkClaim(assembled.check.summary.metadata, manifest);
  return assembled.check.summary;
}
