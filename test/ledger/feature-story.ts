/** Why: facts about one feature set after it was proposed, as part of the fleet's story. */
import type { Digest, NewFact } from '@fleetloop/schemas';

/** It is validated, used and measured on the road, and at last withdrawn. */
export function lifeOfFeatureSet(digest: (text: string) => Digest): NewFact[] {
  const named = { digest: digest('feature set'), name: 'norms', version: 1 };
  const of = { key: 'norms-1', reason: 'the story goes on' };
  const [parity, skew, table] = [digest('parity report'), digest('skew report'), digest('features of all')];
  const recordings = [digest('drive-1'), digest('drive-2')];
  const compared = { recordings, windows: 20, worstAbsolute: 1e-12, report: parity };
  const validated = { ...named, validationId: 'validation-1', validator: 'qa', ...compared };
  const reported = { logged: 9, compared: 7, uncovered: 2, unmatched: 0, malformed: 0, outside: 7 };
  const windows = { ...reported, withheld: 0, incomparable: 0, enginesApart: 0 };
  const differs = [{ feature: 'x_mean', transform: 'mean', group: 'all', shareOutside: 1 }];
  const computed = {
    where: null,
    asOf: 20,
    recordings: 2,
    skipped: [],
    skippedCount: 0,
    lateSamples: 3,
    rows: 40,
    table,
  };
  return [
    { kind: 'feature_set.validated', ...of, actor: 'qa', evidence: [parity, named.digest], body: validated },
    { kind: 'feature_set.activated', ...of, actor: 'ops', evidence: [parity], body: { ...named, reports: [parity] } },
    {
      kind: 'features.computed',
      key: 'features-1',
      actor: 'ops',
      body: { computationId: 'features-1', featureSet: named, ...computed },
    },
    {
      kind: 'skew.evaluated',
      key: 'skew-1',
      actor: 'ops',
      body: {
        evaluationId: 'skew-1',
        featureSet: named,
        owner: 'ops',
        verdict: 'failed',
        windows,
        differs,
        differsCount: 1,
        report: skew,
      },
    },
    { kind: 'feature_set.deprecated', ...of, actor: 'ops', body: { ...named, successor: null } },
  ];
}
