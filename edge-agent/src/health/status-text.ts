/** The status for a person at a terminal; everything else of it is in the JSON. */
import type { AgentStatus } from './agent-status.ts';

/** @param status what `agent status --json` prints; times in it are decimal texts */
export function statusText(status: AgentStatus): string {
  const { capture, spool, uplink, record, model } = status;
  const lines = [
    `${status.vehicleId}  agent ${status.softwareVersion}, hardware ${status.hardwareRevision}, up ${duration(status.uptimeMs)}, ${mib(status.rssBytes)} of memory`,
    `capture   ${capture.source}, session ${record.session ?? 'none'}, ${capture.messages} messages on ${capture.topics.length} topics`,
    ...capture.findings.map((finding) => `          ${finding.topic} ${finding.finding}: ${finding.detail}`),
    ...(capture.redactionFailures === 0
      ? []
      : [`          ${capture.redactionFailures} messages kept out, because a redaction rule could not be applied`]),
    ...status.campaigns.map(campaignLine),
    `record    ${record.pending.length} events open, ${record.waitingForDisk} being written, ${record.lost} lost; ring ${mib(record.ring.memoryBytes)}`,
    `spool     ${spool.spooled} recordings, ${mib(spool.spooledBytes)} of ${mib(spool.quotaBytes)}; disk ${spool.disk.state}, ${mib(spool.disk.freeBytes)} free${spool.isOpen ? '' : '; its index is being read'}`,
    `          ${spool.verified} verified, ${spool.refused} refused, ${spool.evicted} given up (${spool.tombstonesWaiting} not told yet)`,
    `uplink    ${linkText(uplink)}, ${uplink.network.class}, ${mib(uplink.flow.goodputBytesPerS)}/s, ${mib(uplink.flow.inFlightBytes)} in flight`,
    ...(['safety', 'normal', 'bulk'] as const).map((priority) => queueLine(priority, uplink)),
    ...uplink.holds.map(({ priority, code, reason }) => `          ${priority} is held: ${code}: ${reason}`),
    `model     ${model.activeSlot === null ? 'none' : `slot ${model.activeSlot}`}, ${model.inferences} inferences, ${model.deadlineMisses} deadline misses`,
  ];
  return `${lines.join('\n')}\n`;
}

function campaignLine(campaign: AgentStatus['campaigns'][number]): string {
  const fired =
    campaign.statistics === undefined
      ? ''
      : `, fired ${campaign.statistics.fired} of ${campaign.statistics.evaluations}`;
  const { id, version, state, code, reason } = campaign;
  const why = [code, reason].filter((text) => text !== undefined).map((text) => `: ${text}`);
  return `campaign  ${id} v${version} ${state}${fired}${why.join('')}`;
}

function queueLine(priority: 'safety' | 'normal' | 'bulk', uplink: AgentStatus['uplink']): string {
  const left = uplink.network.leftTodayBytes[priority];
  const budget = left === null ? 'no daily limit' : `${mib(left)} left today`;
  return `          ${priority}: ${uplink.queued[priority]} recordings, ${mib(uplink.queuedBytes[priority])} wait, ${budget}`;
}

function linkText({ link }: AgentStatus['uplink']): string {
  if (link.refusal !== null) return `refused (${link.refusal.code}: ${link.refusal.message})`;
  return link.isConnected ? 'connected' : 'no link';
}

const mib = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;

function duration(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${seconds} s`;
}
