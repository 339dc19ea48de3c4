/** Takes the steps in the life of a feature set: each is one fact, written only if nobody else took a step meanwhile. */
import {
  type Digest,
  type FeatureSet,
  FleetError,
  type JsonValue,
  type NewFact,
  parseFeatureSet,
} from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import type { Projection } from '../ports.ts';
import { digestKey, type FactStores } from '../workflow/record-facts.ts';
import { checkStep, isTaken } from './feature-lifecycle.ts';
import { findRegistered, idOf, readFeatureSetVersion, type RegisteredFeatureSet } from './feature-registry.ts';

const ATTEMPTS_MAX = 5;

export type FeatureSetId = { readonly name: string; readonly version: number };
type Asked = FeatureSetId & { readonly actor: string; readonly reason: string };

/**
 * Records a proposal once; the same document again changes nothing.
 * @throws FleetError FEATURE_SET_INVALID for a malformed document, or a version that is registered with other content
 */
export async function proposeFeatureSet(
  request: { readonly document: unknown; readonly actor: string; readonly reason?: string },
  stores: FactStores,
): Promise<{ readonly digest: Digest; readonly featureSet: FeatureSet; readonly isNew: boolean }> {
  const featureSet = parseFeatureSet(request.document);
  const digest = digestOfDocument(featureSet as JsonValue);
  const key = keyOf(featureSet);
  const isNew = await appendStep(stores, key, async () => {
    const [known] = await stores.projection.facts('feature_set.registered', { key });
    if (known === undefined) {
      const { actor, reason } = request;
      const why = reason === undefined ? {} : { reason };
      return { kind: 'feature_set.registered', key, actor, ...why, evidence: [digest], body: { digest, featureSet } };
    }
    if (known.body.digest === digest) return undefined;
    throw new FleetError(
      'FEATURE_SET_INVALID',
      `version ${featureSet.version} of ${featureSet.name} is registered as ${digestKey(known.body.digest).slice(0, 12)} with other content: raise the version`,
    );
  });
  return { digest, featureSet, isNew };
}

/** Makes a validated version the one that its name stands for. @throws FleetError NOT_FOUND, FEATURE_SET_STATE */
export async function activateFeatureSet(asked: Asked, stores: FactStores): Promise<RegisteredFeatureSet> {
  return takeStep(asked, stores, (current) => {
    if (isTaken('activate', current.state)) return undefined;
    checkStep('activate', idOf(current.name, current.version), current.state);
    const reports = current.steps
      .filter((step) => step.state === 'validated')
      .flatMap((step) => step.evidence.slice(0, 1));
    const { actor, reason } = asked;
    return {
      kind: 'feature_set.activated',
      key: keyOf(current),
      actor,
      reason,
      evidence: [current.digest, ...reports],
      body: { ...nameOf(current), reports },
    };
  });
}

/**
 * Ends the life of a version: nothing new is trained or promoted with it.
 * @throws FleetError NOT_FOUND, FEATURE_SET_STATE also for a successor that is deprecated or the version itself
 */
export async function deprecateFeatureSet(
  asked: Asked & { readonly successor: string | null },
  stores: FactStores,
): Promise<RegisteredFeatureSet> {
  const successor = asked.successor === null ? null : await successorOf(stores.projection, asked.successor, asked);
  return takeStep(asked, stores, (current) => {
    if (isTaken('deprecate', current.state)) return undefined;
    checkStep('deprecate', idOf(current.name, current.version), current.state);
    const { actor, reason } = asked;
    return {
      kind: 'feature_set.deprecated',
      key: keyOf(current),
      actor,
      reason,
      evidence: [current.digest, ...(successor === null ? [] : [successor.digest])],
      body: { ...nameOf(current), successor },
    };
  });
}

/**
 * Appends the fact that `decide` makes of how the version stands, unless it makes none; decides anew when somebody was faster.
 * @throws FleetError NOT_FOUND, LEDGER_CONFLICT, and whatever `decide` throws
 */
export async function takeStep(
  id: FeatureSetId,
  stores: FactStores,
  decide: (current: RegisteredFeatureSet) => NewFact | undefined | Promise<NewFact | undefined>,
): Promise<RegisteredFeatureSet> {
  await appendStep(stores, keyOf(id), async () => decide(await readFeatureSetVersion(stores.projection, id)));
  return readFeatureSetVersion(stores.projection, id);
}

/** Digest, name and version as facts name a feature set. */
export function nameOf({ digest, name, version }: RegisteredFeatureSet): {
  readonly digest: string;
  readonly name: string;
  readonly version: number;
} {
  return { digest, name, version };
}

/** The ledger key of a version. */
export function keyOf({ name, version }: FeatureSetId): string {
  return `${name}-${version}`;
}

async function appendStep(
  { ledger, projection }: FactStores,
  key: string,
  decide: () => Promise<NewFact | undefined>,
): Promise<boolean> {
  const subject = `feature_set.${key}`;
  for (let attempt = 1; ; attempt += 1) {
    const last = await ledger.lastSequenceOf(subject);
    await projection.waitFor(last);
    const fact = await decide();
    if (fact === undefined) return false;
    try {
      const { sequences } = await ledger.append([fact], { expect: { [subject]: last } });
      await projection.waitFor(sequences.at(-1) ?? 0);
      return true;
    } catch (error) {
      if (FleetError.from(error).code !== 'LEDGER_CONFLICT' || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

async function successorOf(
  projection: Projection,
  reference: string,
  { name, version }: FeatureSetId,
): Promise<ReturnType<typeof nameOf>> {
  const found = await findRegistered(projection, reference);
  const isItself = found.name === name && found.version === version;
  if (!isItself && found.state !== 'deprecated') return nameOf(found);
  throw new FleetError(
    'FEATURE_SET_STATE',
    `${reference} cannot take the place of ${idOf(name, version)}: ${isItself ? 'it is the same version' : 'it is deprecated itself'}`,
  );
}
