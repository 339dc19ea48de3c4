/** The answers of `verify` and `salvage` as text for people. */
import type { RecordingVerdict, SalvageLoss, SalvageReport } from '@fleetloop/schemas/recording';

/** Faults and losses shown; --json has up to a thousand. */
const SHOWN_MAX = 20;

export function verdictText(verdict: RecordingVerdict & { readonly digest: string | null }, wanted?: string): string {
  const { messages, chunks, attachments, metadata, checksums, faults, faultCount, unordered, unproven } = verdict;
  const counts = `${messages} messages, ${chunks} chunks, ${attachments} attachments, ${metadata} metadata records, ${checksums} checksums compared`;
  const lines = [`${verdict.isWhole ? 'whole' : 'NOT WHOLE'}: ${counts}`];
  if (unordered > 0) lines.push(`${unordered} messages are earlier than the one before them, which MCAP allows`);
  if (unproven > 0)
    lines.push(`${unproven} messages are covered by no checksum: other bytes in their data show nowhere`);
  for (const { byte, record, rule, message } of faults.slice(0, SHOWN_MAX))
    lines.push(`byte ${byte}, ${record}: ${message} [${rule}]`);
  if (faultCount > SHOWN_MAX) lines.push(`and ${faultCount - SHOWN_MAX} more faults (--json shows up to a thousand)`);
  if (wanted !== undefined && verdict.digest !== wanted)
    lines.push(`the file has the digest ${verdict.digest}, not ${wanted}`);
  if (faultCount > 0) lines.push('"fleetloop recording salvage FILE --out FILE" keeps what is intact');
  return lines.join('\n');
}

export function salvageText(out: string, report: SalvageReport): string {
  const { kept, lost, unproven, repaired, losses, lossCount, expected } = report;
  const ofAll = expected === null ? '' : ` of ${expected}`;
  const lines = [
    `${out}: ${kept.messages}${ofAll} messages, ${kept.attachments} attachments, ${kept.metadata} metadata records`,
  ];
  if (report.isWhole) lines.push('nothing was lost: the file was whole');
  else
    lines.push(
      lost.messages === null
        ? 'how many messages were lost is not known: no index tells'
        : `${lost.messages} messages lost`,
    );
  for (const [topic, count] of Object.entries(lost.topics)) lines.push(`  ${topic}: ${count}`);
  if (repaired.length > 0) lines.push(`${repaired.length} flipped bits were put right by the CRC of their chunk`);
  if (unproven > 0) lines.push(`${unproven} messages were kept for whose bytes no checksum vouches`);
  for (const loss of losses.slice(0, SHOWN_MAX)) lines.push(lossText(loss));
  if (lossCount > SHOWN_MAX) lines.push(`and ${lossCount - SHOWN_MAX} more places (--json shows up to a thousand)`);
  return lines.join('\n');
}

function lossText({ fromByte, toByte, what, startNs, endNs, afterNs, beforeNs }: SalvageLoss): string {
  const range = startNs === undefined ? between(afterNs, beforeNs) : `, ${startNs} to ${endNs} ns`;
  return `bytes ${fromByte} to ${toByte}: ${what}${range}`;
}

function between(afterNs: string | undefined, beforeNs: string | undefined): string {
  const after = afterNs === undefined ? '' : `, after ${afterNs} ns`;
  return `${after}${beforeNs === undefined ? '' : `, before ${beforeNs} ns`}`;
}
