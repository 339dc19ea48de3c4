/**
 * Why: an experiment may use any definition, the road only a checked one. A model may be trained with a proposed or validated
 * feature set, but is promoted only while the set is active; with a deprecated one nothing new is trained.
 */
import { FleetError } from '@fleetloop/schemas';
import { idOf, type RegisteredFeatureSet } from './feature-registry.ts';

/** @throws FleetError FEATURE_SET_STATE */
export function refuseDeprecated(set: RegisteredFeatureSet): void {
  if (set.state !== 'deprecated') return;
  const successor = set.steps.at(-1)?.successor ?? null;
  throw new FleetError(
    'FEATURE_SET_STATE',
    `${idOf(set.name, set.version)} is deprecated: train with ${successor ?? 'another feature set'}`,
  );
}

/** @throws FleetError FEATURE_SET_STATE */
export function mustBeActive(set: RegisteredFeatureSet, model: string): void {
  if (set.state === 'active') return;
  throw new FleetError(
    'FEATURE_SET_STATE',
    `${model} was trained with ${idOf(set.name, set.version)}, which is ${set.state}: only models of active feature sets are promoted`,
  );
}
