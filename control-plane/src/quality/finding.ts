/** Why: what a check says of a recording, in one form for the command line, the ledger and whoever asks later. */

export const SEVERITIES = ['info', 'warning', 'error'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Most findings that one report names; the rest is only counted. */
export const FINDINGS_MAX = 256;
/** Most figures that one finding rests on. */
export const EVIDENCE_MAX = 16;

export type Evidence = Readonly<Record<string, string | number>>;

/** One thing that is wrong, with where it is, the figures it rests on and what to do. */
export type Finding = {
  /** `<group>.<what>`, a key of the rule table. */
  readonly rule: string;
  /** Version of the rule: its figures mean the same as long as it stays. */
  readonly version: number;
  readonly severity: Severity;
  /** Null where it is about the recording as a whole. */
  readonly topic: string | null;
  /** Log time in ns as decimal text, [fromNs, toNs]; null where it is about no time. */
  readonly fromNs: string | null;
  readonly toNs: string | null;
  readonly message: string;
  readonly action: string;
  readonly evidence: Evidence;
};

export type CheckVerdict = 'accepted' | 'accepted_with_findings' | 'quarantined';

export type CheckReport = {
  readonly standard: { readonly name: string; readonly version: number; readonly digest: string };
  readonly verdict: CheckVerdict;
  /** Worst first, then in order of time. */
  readonly findings: readonly Finding[];
  /** Findings over the maximum that the list keeps. */
  readonly suppressed: number;
};
