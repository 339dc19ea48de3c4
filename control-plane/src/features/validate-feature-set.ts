/** Validation of a feature set: both engines over recordings that a person names, by somebody who may; the work is a workflow. */
import { randomUUID } from 'node:crypto';
import { FleetError, parseDigest } from '@fleetloop/schemas';
import type { ValidateFeatureSetInput } from '@fleetloop/workflows';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { startWorkflow } from '../workflow/start-workflow.ts';
import { checkStep, checkValidator } from './feature-lifecycle.ts';
import { idOf, readFeatureSetVersion } from './feature-registry.ts';
import type { FeatureSetId } from './feature-steps.ts';

/** Recordings of one validation; a person names them, and the fact repeats their digests. */
export const VALIDATION_RECORDINGS_MAX = 512;
/** Bytes of them together: both engines read all of it. */
export const VALIDATION_BYTES_MAX = 64 * 1_024 * 1_024 * 1_024;
export const VALIDATION_ID = /^validation-[0-9a-f]{16}$/;

export type ValidationRequest = FeatureSetId & {
  readonly recordings: readonly string[];
  readonly actor: string;
  readonly reason: string;
};

/**
 * Starts the comparison. Whoever asks learns at once that it may not, or not yet; a version's definition and proposer never change,
 * so that the right to validate is checked here, where the holders of tokens are known, and the state again when the fact is written.
 * @throws FleetError NOT_FOUND, FEATURE_SET_APPROVAL, FEATURE_SET_STATE, REQUEST_INVALID
 */
export async function startValidation(
  request: ValidationRequest,
  { projection, temporal, config }: Pick<ControlPlane, 'projection' | 'temporal' | 'config'>,
): Promise<string> {
  const { actor, reason } = request;
  const found = await readFeatureSetVersion(projection, request);
  checkStep('validate', idOf(found.name, found.version), found.state);
  const actors = Object.values(config.tokens);
  checkValidator({ featureSet: found.featureSet, proposer: found.proposer, actor, actors });
  const recordings = [...new Set(request.recordings.map(parseDigest))];
  for (const recording of recordings) {
    const rows = await projection.query('SELECT 1 FROM recordings WHERE recording = $recording', { recording });
    if (rows.length === 0) throw new FleetError('NOT_FOUND', `no recording ${recording} is in the catalogue`);
  }
  const validationId = `validation-${randomUUID().replaceAll('-', '').slice(0, 16)}`;
  const input: ValidateFeatureSetInput = { validationId, featureSet: found.digest, recordings, actor, reason };
  const { taskQueue } = config.temporal;
  await startWorkflow(temporal, 'validateFeatureSet', { workflowId: validationId, taskQueue, input });
  return validationId;
}
