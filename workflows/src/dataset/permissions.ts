/** Why: what may not be used must not be learned, whatever a filter says; who leaves it out owes the reason. */
import type { DatasetSpecification, FilterableRecording } from '@fleetloop/schemas';

/** What a dataset is for, unless its specification says otherwise. */
export const DEFAULT_USE = 'training';
/** Longest reference that a reason repeats. */
const ID_CHARACTERS_MAX = 128;

const KINDS = ['consent', 'licence'] as const;
type Stated = { readonly id: string; readonly scope: readonly string[]; readonly expiresAt: string };

/**
 * Why a recording may not be in a dataset that is frozen at `at`, or undefined. A statement must cover the use and still hold;
 * a recording without one is left out only where the specification requires it.
 */
export function permissionRefusal(
  recording: FilterableRecording,
  {
    use = DEFAULT_USE,
    requireConsent = false,
    requireLicence = false,
  }: Pick<DatasetSpecification, 'use' | 'requireConsent' | 'requireLicence'>,
  at: Date,
): string | undefined {
  const isRequired = { consent: requireConsent, licence: requireLicence };
  for (const kind of KINDS) {
    const { id, scope, expiresAt } = statedOf(recording, kind);
    const named = `${kind} ${id.slice(0, ID_CHARACTERS_MAX)}`;
    if (id === '') {
      if (isRequired[kind]) return `it states no ${kind}, which the specification requires`;
    } else if (!scope.includes(use)) return `${named} does not cover ${use}`;
    else if (Date.parse(expiresAt) <= at.getTime()) return `${named} expired at ${expiresAt}`;
  }
  return undefined;
}

function statedOf(recording: FilterableRecording, kind: (typeof KINDS)[number]): Stated {
  const { consent = '', consentScope = [], consentExpiresAt = '' } = recording;
  const { licence = '', licenceScope = [], licenceExpiresAt = '' } = recording;
  return kind === 'consent'
    ? { id: consent, scope: consentScope, expiresAt: consentExpiresAt }
    : { id: licence, scope: licenceScope, expiresAt: licenceExpiresAt };
}
