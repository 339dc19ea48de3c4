/** Why: workflows decide which facts there are; this is the one way in which they write them. */
import type { LedgerActivities } from '@fleetloop/workflows';
import { guardActivities } from './activity-guard.ts';
import { type FactStores, recordFacts } from './record-facts.ts';

export function createLedgerActivities(stores: FactStores): LedgerActivities {
  return guardActivities<LedgerActivities>({
    async recordFacts(facts) {
      if (facts.length > 0) await recordFacts(stores, facts);
    },
  });
}
