/** Why: a commit of several facts, as its writers make it: with what they expect to find, so that it can be repeated. */
import type { NewFact } from '@fleetloop/schemas';
import { enrolled } from './ledger-server.ts';

type Commit = readonly [readonly NewFact[], { readonly expect: Readonly<Record<string, number>> }];

/** The parameters of `append`. */
export function commitOf(name: string, count: number): Commit {
  const facts = Array.from({ length: count }, (_, index) => enrolled(`${name}-${index}`));
  return [facts, { expect: Object.fromEntries(facts.map(({ key }) => [`vehicle.${key}`, 0])) }];
}
