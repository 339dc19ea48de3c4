/** What `recording info` answers: the file's own description with rates and ratios, and our metadata where the file has it. */
import { fromMetadataRecords, type McapMetadataRecord, type RecordingDescription } from '@fleetloop/schemas/recording';
import { renderTable } from '../api/text-table.ts';

export type RecordingInfo = ReturnType<typeof recordingInfo>;

const NS_PER_SECOND = 1e9;
const RATIO_DIGITS = 3;

/** Numbers beyond 2^53 and times as decimal strings, as JSON needs them. */
export function recordingInfo(file: string, described: RecordingDescription) {
  const { startNs, endNs, messages } = described;
  const durationSeconds = startNs === undefined || endNs === undefined ? 0 : Number(endNs - startNs) / NS_PER_SECOND;
  return {
    file,
    sizeBytes: described.sizeBytes,
    library: described.library,
    profile: described.profile,
    isComplete: described.isComplete,
    isIndexed: described.isIndexed,
    damage: described.damage ?? null,
    messages,
    startNs: startNs === undefined ? null : String(startNs),
    endNs: endNs === undefined ? null : String(endNs),
    durationSeconds,
    channels: described.channels.map((channel) => ({ ...channel, rateHz: rateOf(channel.messages, durationSeconds) })),
    chunks: described.compressions.map(({ name, chunks, packedBytes, uncompressedBytes }) => ({
      compression: name,
      chunks,
      packedBytes,
      uncompressedBytes,
      ratio: packedBytes === 0 ? null : round(uncompressedBytes / packedBytes),
    })),
    attachments: described.attachments.map(({ name, mediaType, dataBytes, logTimeNs }) => ({
      name,
      mediaType,
      sizeBytes: Number(dataBytes),
      logTimeNs: String(logTimeNs),
    })),
    metadata: described.metadata.map(({ name, metadata }) => ({ name, entries: Object.fromEntries(metadata) })),
    fleet: fleetMetadata(described.metadata),
  };
}

/** Messages per second between the first and the last. */
function rateOf(messages: number, durationSeconds: number): number | null {
  return durationSeconds === 0 || messages < 2 ? null : round((messages - 1) / durationSeconds);
}

function round(value: number): number {
  return Number(value.toFixed(RATIO_DIGITS));
}

/** Vehicle, event, clock and quality of our own recordings; null for those of others. */
function fleetMetadata(records: readonly McapMetadataRecord[]): ReturnType<typeof fromMetadataRecords> | null {
  try {
    return fromMetadataRecords(records);
  } catch {
    return null;
  }
}

const CHANNEL_COLUMNS = ['topic', 'encoding', 'schema', 'messages', 'rateHz'];

export function infoText(info: RecordingInfo): string {
  const state = info.isComplete ? 'complete' : 'cut off: it has no footer';
  const lines = [
    `file         ${info.file}`,
    `size         ${info.sizeBytes} bytes, ${state}, ${info.isIndexed ? 'indexed' : 'not indexed'}`,
    `written by   ${info.library || '-'}, profile ${info.profile || '-'}`,
    `messages     ${info.messages}`,
    `time         ${timeText(info)}`,
    `chunks       ${info.chunks.map(chunkText).join('; ') || 'none'}`,
  ];
  if (info.damage !== null) lines.push(`damage       byte ${info.damage.byte}: ${info.damage.message}`);
  if (info.fleet !== null) lines.push(...fleetText(info.fleet));
  const rows = info.channels.map(({ topic, messageEncoding, schemaName, messages, rateHz }) => ({
    topic,
    encoding: messageEncoding,
    schema: schemaName,
    messages,
    rateHz,
  }));
  lines.push('', renderTable(rows, CHANNEL_COLUMNS));
  for (const { name, mediaType, sizeBytes } of info.attachments)
    lines.push(`attachment   ${JSON.stringify(name)}, ${mediaType || 'of no type'}, ${sizeBytes} bytes`);
  for (const { name, entries } of info.metadata) lines.push(`metadata     ${name}: ${Object.keys(entries).join(', ')}`);
  return lines.join('\n');
}

function timeText({ startNs, endNs, durationSeconds }: RecordingInfo): string {
  if (startNs === null || endNs === null) return '-';
  return `${instantText(startNs)} to ${instantText(endNs)}, ${durationSeconds.toFixed(RATIO_DIGITS)} s`;
}

/** A UTC time, or the plain number for a clock that counts from elsewhere. */
function instantText(ns: string): string {
  const ms = Number(BigInt(ns) / 1_000_000n);
  return ms < FIRST_UTC_MS || ms > LAST_UTC_MS ? `${ns} ns` : new Date(ms).toISOString();
}

/** Stamps outside of these are counts since a boot, or nonsense. */
const FIRST_UTC_MS = Date.UTC(2000, 0);
const LAST_UTC_MS = Date.UTC(2200, 0);

function chunkText({ compression, chunks, ratio, packedBytes }: RecordingInfo['chunks'][number]): string {
  return `${chunks} ${compression}, ${packedBytes} bytes${ratio === null ? '' : `, ratio ${ratio}`}`;
}

function fleetText(fleet: NonNullable<RecordingInfo['fleet']>): string[] {
  const { vehicle, software, session, event, clock, gaps, loss, quality } = fleet;
  const lines = [
    `vehicle      ${vehicle.id}, hardware ${vehicle.hardwareRevision}, ${software.name} ${software.version}`,
    `session      ${session.name}`,
    `clock        ${clock.source}, uncertain by ${clock.uncertaintyNs} ns`,
  ];
  if (event !== undefined) lines.push(`event        ${event.id}, campaigns ${event.campaigns.join(', ') || '-'}`);
  const lost = Object.values(loss).reduce<number>((sum, count) => sum + Number(count), 0);
  lines.push(`quality      ${gaps.length} gaps, ${lost} messages lost, ${quality?.length ?? 0} channels with remarks`);
  return lines;
}
