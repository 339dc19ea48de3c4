/** Why: what the ledger keeps of a check: its verdict and its first findings; the whole report is a blob that it names. */
import type { Digest, FactBody } from '@fleetloop/schemas';
import type { CheckReport, Severity } from './finding.ts';
import type { TopicForm } from './topic-form.ts';

/** Findings that stand in the ledger itself. */
export const FINDINGS_IN_FACT_MAX = 64;
const MESSAGE_CHARACTERS_MAX = 512;

/** The body of `recording.checked`. `report` is the digest of the blob that `reportBytes` gives. */
export function checkedBody(recording: Digest, checked: CheckReport, report: Digest): FactBody<'recording.checked'> {
  const { standard, verdict, findings, suppressed } = checked;
  const count = (severity: Severity): number => findings.filter((finding) => finding.severity === severity).length;
  return {
    recording,
    standard: { ...standard },
    verdict,
    findings: findings
      .slice(0, FINDINGS_IN_FACT_MAX)
      .map(({ rule, version, severity, topic, fromNs, toNs, message }) => ({
        rule,
        version,
        severity,
        topic,
        fromNs,
        toNs,
        message: message.slice(0, MESSAGE_CHARACTERS_MAX),
      })),
    count: { info: count('info'), warning: count('warning'), error: count('error'), suppressed },
    report,
  };
}

/** The whole report with the forms of all topics, the same bytes for the same recording, standard and history. */
export function reportBytes(checked: CheckReport, forms: readonly TopicForm[]): Uint8Array {
  return Buffer.from(`${JSON.stringify({ ...checked, forms })}\n`, 'utf8');
}
