/** Why: one place that turns what a rule saw into a finding, with the standard's say on severity, and that keeps the list bounded. */
import {
  type CheckReport,
  type CheckVerdict,
  type Evidence,
  EVIDENCE_MAX,
  type Finding,
  FINDINGS_MAX,
} from './finding.ts';
import { type RuleName, RULES } from './rules.ts';
import type { Standard } from './standard.ts';

const SEVERITY_ORDER = { error: 0, warning: 1, info: 2 } as const;
const DIGITS = 6;

/** What a rule says. Times are absolute ns. */
export type Observation = {
  readonly topic?: string | undefined;
  readonly fromNs?: bigint | undefined;
  readonly toNs?: bigint | undefined;
  readonly message: string;
  readonly evidence?: Evidence;
};

export class FindingList {
  readonly #standard: Standard;
  readonly #findings: Finding[] = [];
  #suppressed = 0;

  constructor(standard: Standard) {
    this.#standard = standard;
  }

  add(rule: RuleName, { topic, fromNs, toNs, message, evidence = {} }: Observation): void {
    const override = this.#standard.rules[rule];
    if (override?.isOff === true) return;
    if (this.#findings.length >= FINDINGS_MAX) {
      this.#suppressed += 1;
      return;
    }
    const { version, severity, action } = RULES[rule];
    this.#findings.push({
      rule,
      version,
      severity: override?.severity ?? severity,
      topic: topic ?? null,
      fromNs: fromNs === undefined ? null : String(fromNs),
      toNs: toNs === undefined ? null : String(toNs),
      message,
      action,
      evidence: rounded(evidence),
    });
  }

  report(): CheckReport {
    const { name, version, digest } = this.#standard;
    const findings = this.#findings.toSorted(byWeight);
    return {
      standard: { name, version, digest },
      verdict: verdictOf(findings, this.#standard),
      findings,
      suppressed: this.#suppressed,
    };
  }
}

/** A report with what was found later by the same standard; beyond the limit the lightest findings are only counted. */
export function withFindings(report: CheckReport, more: CheckReport, standard: Standard): CheckReport {
  const all = [...report.findings, ...more.findings].toSorted(byWeight);
  const findings = all.slice(0, FINDINGS_MAX);
  const suppressed = report.suppressed + more.suppressed + all.length - findings.length;
  const verdict = report.verdict === 'quarantined' ? report.verdict : verdictOf(all, standard);
  return { ...report, verdict, findings, suppressed };
}

function byWeight(a: Finding, b: Finding): number {
  return SEVERITY_ORDER[a.severity] - SEVERITY_ORDER[b.severity] || byTime(a.fromNs, b.fromNs);
}

/** Quarantine takes a finding of severity error for a rule that the standard names. */
function verdictOf(findings: readonly Finding[], { quarantineOn }: Standard): CheckVerdict {
  if (findings.length === 0) return 'accepted';
  const isNamed = (rule: string): boolean =>
    quarantineOn.some(
      (pattern) => pattern === rule || (pattern.endsWith('*') && rule.startsWith(pattern.slice(0, -1))),
    );
  const isOut = findings.some(({ rule, severity }) => severity === 'error' && isNamed(rule));
  return isOut ? 'quarantined' : 'accepted_with_findings';
}

function byTime(a: string | null, b: string | null): number {
  const [left, right] = [BigInt(a ?? 0), BigInt(b ?? 0)];
  return left < right ? -1 : Number(left > right);
}

function rounded(evidence: Evidence): Evidence {
  const entries = Object.entries(evidence).slice(0, EVIDENCE_MAX);
  return Object.fromEntries(
    entries.map(([key, value]) => [
      key,
      typeof value === 'number' && !Number.isSafeInteger(value) ? Number(value.toPrecision(DIGITS)) : value,
    ]),
  );
}
