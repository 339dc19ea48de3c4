/** The status of an agent for a person at a terminal; everything else of it is in the JSON. */
import { StatusView } from './status-view.ts';

/** @param answer what an agent says when it is asked for its status; undefined when that is no status as this version knows it */
export function statusText(answer: unknown): string | undefined {
  const parsed = StatusView.safeParse(answer);
  return parsed.success ? textOf(parsed.data) : undefined;
}

function textOf(status: StatusView): string {
  const { capture, spool, uplink, record, model } = status;
  const lines = [
    `${status.vehicleId}  agent ${status.softwareVersion}, hardware ${status.hardwareRevision}, up ${duration(status.uptimeMs)}, ${mib(status.rssBytes)} of memory`,
    `capture   ${capture.source}, session ${record.session ?? 'none'}, ${capture.messages} messages on ${capture.topics.length} topics`,
    ...capture.findings.map((finding) =>
      `          ${finding.topic} ${finding.finding}: ${finding.detail ?? ''}`.trimEnd(),
    ),
    ...(capture.redactionFailures === 0
      ? []
      : [`          ${capture.redactionFailures} messages kept out, because a redaction rule could not be applied`]),
    ...status.campaigns.map(campaignLine),
    `record    ${record.pending.length} events open, ${record.waitingForDisk} being written, ${record.lost} lost; ring ${mib(record.ring.memoryBytes)}`,
    `spool     ${spool.spooled} recordings, ${mib(spool.spooledBytes)} of ${mib(spool.quotaBytes)}; disk ${spool.disk.state}, ${mib(spool.disk.freeBytes)} free${spool.isOpen ? '' : '; its index is being read'}`,
    `          ${spool.verified} verified, ${spool.refused} refused, ${spool.evicted} given up (${spool.tombstonesWaiting ?? 0} not told yet)`,
    `uplink    ${linkText(uplink)}, ${uplink.network.class}, ${mib(uplink.flow.goodputBytesPerS)}/s, ${mib(uplink.flow.inFlightBytes)} in flight`,
    ...(['safety', 'normal', 'bulk'] as const).map((priority) => queueLine(priority, uplink)),
    ...uplink.holds.map(({ priority, code, reason }) => `          ${priority} is held: ${code}: ${reason}`),
    `model     ${model.activeSlot === null ? 'none' : `slot ${model.activeSlot}`}, ${model.inferences} inferences, ${model.deadlineMisses} deadline misses`,
    ...model.features.map(featureLine),
  ];
  return `${lines.join('\n')}\n`;
}

function campaignLine(campaign: StatusView['campaigns'][number]): string {
  const fired =
    campaign.statistics === undefined
      ? ''
      : `, fired ${campaign.statistics.fired} of ${campaign.statistics.evaluations}`;
  const { id, version, state, code, reason } = campaign;
  const why = [code, reason].filter((text) => text !== undefined).map((text) => `: ${text}`);
  return `campaign  ${id} v${version} ${state}${fired}${why.join('')}`;
}

function featureLine(features: StatusView['model']['features'][number]): string {
  const { featureSet, vectors, ageMs, latencyMs, latencyBudgetMs, budgetMisses } = features;
  const age = ageMs === null ? 'none in this session' : `the newest ${ageMs} ms old`;
  const latency = latencyMs === null ? '' : `, at most ${latencyMs.worst.toFixed(2)} ms of ${latencyBudgetMs} ms`;
  return `          ${featureSet.name} v${featureSet.version}: ${vectors} vectors, ${age}${latency}, ${budgetMisses} over budget`;
}

function queueLine(priority: 'safety' | 'normal' | 'bulk', uplink: StatusView['uplink']): string {
  const left = uplink.network.leftTodayBytes[priority];
  const budget = left === null ? 'no daily limit' : `${mib(left)} left today`;
  return `          ${priority}: ${uplink.queued[priority]} recordings, ${mib(uplink.queuedBytes[priority])} wait, ${budget}`;
}

function linkText({ link }: StatusView['uplink']): string {
  if (link.refusal !== null) return `refused (${link.refusal.code}: ${link.refusal.message})`;
  return link.isConnected ? 'connected' : 'no link';
}

const mib = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;

function duration(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${seconds} s`;
}
