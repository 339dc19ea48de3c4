/**
 * Why: what may follow on what in the life of a feature set, and who may say so, apart from where it is written down:
 * proposed → validated → active → deprecated.
 */
import type { FeatureSet } from '@fleetloop/schemas';
import { FleetError } from '@fleetloop/schemas';

export const FEATURE_SET_STATES = ['proposed', 'validated', 'active', 'deprecated'] as const;
export type FeatureSetState = (typeof FEATURE_SET_STATES)[number];

/** What a person may ask for, and the states in which it may be asked for. */
const STEPS = {
  /** Again is allowed: more recordings are more evidence. */
  validate: {
    from: ['proposed', 'validated'],
    to: 'validated',
    needs: 'only a proposed or validated one can be validated',
  },
  activate: { from: ['validated'], to: 'active', needs: 'have it validated first' },
  /** A proposal is withdrawn, too, so that nobody builds on it. */
  deprecate: { from: ['proposed', 'validated', 'active'], to: 'deprecated', needs: 'it is deprecated already' },
} as const satisfies Record<
  string,
  { readonly from: readonly FeatureSetState[]; readonly to: FeatureSetState; readonly needs: string }
>;
export type FeatureSetStep = keyof typeof STEPS;

/** @throws FleetError FEATURE_SET_STATE saying what has to happen first */
export function checkStep(step: FeatureSetStep, id: string, state: FeatureSetState): void {
  const { from, needs } = STEPS[step];
  if ((from as readonly FeatureSetState[]).includes(state)) return;
  throw new FleetError('FEATURE_SET_STATE', `${id} is ${state} and cannot be ${STEPS[step].to}: ${needs}`);
}

/** Whether the step was taken before, so that asking for it again changes nothing. */
export function isTaken(step: Exclude<FeatureSetStep, 'validate'>, state: FeatureSetState): boolean {
  return STEPS[step].to === state;
}

export type ValidationAsked = {
  readonly featureSet: Pick<FeatureSet, 'name' | 'version' | 'owner' | 'validator'>;
  readonly proposer: string;
  readonly actor: string;
  /** Everybody who holds a token. */
  readonly actors: readonly string[];
};

/**
 * Four eyes: never the proposer or the owner; and where the definition names a validator who holds a token, nobody else.
 * A definition may name a team, which holds none: then any third person validates for it.
 * @throws FleetError FEATURE_SET_APPROVAL
 */
export function checkValidator({ featureSet, proposer, actor, actors }: ValidationAsked): void {
  const { name, version, owner, validator } = featureSet;
  if (actor === proposer)
    throw new FleetError(
      'FEATURE_SET_APPROVAL',
      `${actor} proposed ${name}@${version}: somebody else has to validate it`,
    );
  if (actor === validator) return;
  if (actors.includes(validator))
    throw new FleetError('FEATURE_SET_APPROVAL', `${name}@${version} is validated by ${validator}, not by ${actor}`);
  if (actor === owner)
    throw new FleetError('FEATURE_SET_APPROVAL', `${actor} owns ${name}@${version}: somebody else has to validate it`);
}
