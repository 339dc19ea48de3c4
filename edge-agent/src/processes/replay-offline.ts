/** Capture without servers: drives and campaigns go in, recordings come out, and a summary says what happened. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Campaign, type ErrorCode, FleetError, parseCampaign, type VehicleAttributes } from '@fleetloop/schemas';
import { openDrives } from '../adapters/drive-sources.ts';
import { NodeDisk } from '../adapters/node-disk.ts';
import { CaptureLine } from '../agent/capture-line.ts';
import type { Drive } from '../ports.ts';
import type { ClosedRecording, RecorderEffect } from '../record/recorder-effects.ts';
import { DurableFiles } from '../spool/durable-files.ts';

const RING_BYTES_MAX = 64 * 1024 * 1024;
/** Session time between two looks at conditions of time. */
const TICK_NS = 100_000_000n;
/** Progress is told once in so many messages. */
const PROGRESS_MESSAGES = 1_000_000;

export type ReplayOptions = {
  readonly sources: readonly string[];
  /** Not needed by files that describe themselves: MCAP, ULog, candump. */
  readonly mapping?: string | undefined;
  readonly campaigns: readonly string[];
  /** Folder for the recordings. */
  readonly out: string;
  readonly vehicleId: string;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  /** Attributes of the vehicle that campaigns may ask for. */
  readonly attributes?: VehicleAttributes;
  readonly signal?: AbortSignal;
  /** Called now and then while a long source is read. */
  readonly onProgress?: (progress: ReplayProgress) => void;
};

export type ReplayProgress = { readonly source: string; readonly messages: number; readonly events: number };

type ReplayedEvent = {
  readonly id: string;
  readonly session: string;
  readonly startNs: string;
  readonly endNs: string;
  readonly triggers: readonly { readonly campaign: string; readonly timeNs: string }[];
  readonly gaps: readonly { readonly topic: string; readonly fromNs: string; readonly toNs: string }[];
  readonly file: string;
  readonly bytes: number;
};

type Refused = { readonly code: ErrorCode; readonly message: string; readonly where: string };

export type ReplaySummary = {
  readonly events: readonly ReplayedEvent[];
  readonly topics: Readonly<Record<string, { readonly seen: number; readonly kept: number }>>;
  readonly refused: readonly Refused[];
  /** The run was stopped by its signal; events of the drive that was open are not among the events. */
  readonly isStopped: boolean;
};

/**
 * Replays each source as one drive session. What is refused is named in the summary and does not stop the others. A source that
 * breaks in the middle keeps the events that came before.
 * @throws FleetError RECORD_WRITE when the folder takes no recording
 */
export async function replayOffline(options: ReplayOptions): Promise<ReplaySummary> {
  const { vehicleId, hardwareRevision, softwareVersion, out } = options;
  const line = new CaptureLine({
    vehicle: { id: vehicleId, hardwareRevision },
    software: { name: 'fleetloop-agent', version: softwareVersion },
    ringBytesMax: RING_BYTES_MAX,
    campaigns: { vehicle: { ...options.attributes, vehicleId, hardwareRevision, softwareVersion } },
  });
  const refused: Refused[] = [];
  const campaigns = await loadCampaigns(options.campaigns, refused);
  line.campaigns.apply(campaigns.map(({ campaign }) => campaign));
  for (const { id, code, reason } of line.campaigns.refused) {
    const where = campaigns.find(({ campaign }) => campaign.id === id)?.path ?? id;
    refused.push({ code: code as ErrorCode, message: reason, where });
  }
  const events: ReplayedEvent[] = [];
  // One campaign that is refused leaves the others in force; without any there is nothing to look for.
  if (line.campaigns.refused.length < campaigns.length) {
    const files = new DurableFiles(new NodeDisk(), out);
    const keep = async (effects: readonly RecorderEffect[]): Promise<void> => {
      for (const effect of effects) {
        if (effect.kind !== 'close') continue;
        const event = await writeEvent(files, effect.recording, out);
        events.push(event);
        // Budgets hold here as they do on the road.
        await line.campaigns.recorded(effect.recording.campaignIds, event.bytes, effect.recording.endNs);
      }
    };
    await replayAll(options, line, { keep, refused, eventCount: () => events.length });
  }
  const isStopped = options.signal?.aborted === true;
  return { events, topics: Object.fromEntries(line.recorder.topics()), refused, isStopped };
}

type Run = {
  readonly keep: (effects: readonly RecorderEffect[]) => Promise<void>;
  readonly refused: Refused[];
  readonly eventCount: () => number;
};

async function replayAll(options: ReplayOptions, line: CaptureLine, run: Run): Promise<void> {
  const { mapping, signal, sources } = options;
  const replayed = new Set<string>();
  const isStopped = (): boolean => signal?.aborted === true;
  for (const source of sources) {
    if (isStopped()) return;
    try {
      for await (const drive of openDrives({ mappingPath: mapping, files: [source], speed: 0 }, signal)) {
        // Several files of one session may be named; they are one drive.
        if (replayed.has(drive.session)) continue;
        replayed.add(drive.session);
        await replayDrive(line, drive, { ...run, options, source });
      }
    } catch (error) {
      if (isStopped()) return;
      const failure = FleetError.from(error);
      if (failure.code === 'RECORD_WRITE') throw failure;
      run.refused.push({ code: failure.code, message: failure.message, where: placeOf(failure, source) });
    }
  }
}

type DriveRun = Run & { readonly options: ReplayOptions; readonly source: string };

async function replayDrive(line: CaptureLine, drive: Drive, run: DriveRun): Promise<void> {
  const { options, keep, source, eventCount } = run;
  line.startSession(drive);
  let messages = 0;
  let nextTickNs: bigint | undefined;
  try {
    for await (const batch of drive.batches(options.signal)) {
      options.signal?.throwIfAborted();
      for (const message of batch) {
        // Time passes only by messages: what silence makes due must claim its window before this message does.
        if (nextTickNs === undefined || message.logTimeNs >= nextTickNs) {
          nextTickNs = message.logTimeNs + TICK_NS;
          await keep(line.tick(message.logTimeNs));
        }
        const effects = line.push(message);
        if (effects.length > 0) await keep(effects);
      }
      const before = Math.floor(messages / PROGRESS_MESSAGES);
      messages += batch.length;
      if (Math.floor(messages / PROGRESS_MESSAGES) > before)
        options.onProgress?.({ source, messages, events: eventCount() });
    }
  } finally {
    // What a stop cuts off would look like the end of the drive: it is not recorded, and the next run records it whole.
    if (options.signal?.aborted === true) line.recorder.abandonSession();
    else await keep(line.recorder.endSession());
  }
}

/** `file:line` for texts, `file@byte` for binary files, `file#row` for tables, as exact as the error says. */
function placeOf({ details }: FleetError, source: string): string {
  const { file, line, byte, row } = details;
  const isOther = typeof file === 'string' && !file.includes('/') && !source.endsWith(file);
  const path = isOther ? `${dirname(source)}/${file}` : source;
  if (line !== undefined) return `${path}:${line}`;
  if (byte !== undefined) return `${path}@${byte}`;
  return row === undefined ? path : `${path}#${row}`;
}

async function writeEvent(files: DurableFiles, recording: ClosedRecording, folder: string): Promise<ReplayedEvent> {
  const { id, session, startNs, endNs, triggers, gaps } = recording;
  const name = `${id}.mcap`;
  const { sizeBytes } = await files.writeFile(name, recording.write);
  recording.release();
  return {
    id,
    session,
    startNs: startNs.toString(),
    endNs: endNs.toString(),
    triggers: triggers.map(({ campaignId, timeNs }) => ({ campaign: campaignId, timeNs: timeNs.toString() })),
    gaps: gaps.map(({ topic, fromNs, toNs }) => ({ topic, fromNs: fromNs.toString(), toNs: toNs.toString() })),
    file: `${folder}/${name}`,
    bytes: sizeBytes,
  };
}

type LoadedCampaign = { readonly path: string; readonly campaign: Campaign };

/** The campaigns that can be read; the others are refused. Two of one id would replace each other. */
async function loadCampaigns(paths: readonly string[], refused: Refused[]): Promise<readonly LoadedCampaign[]> {
  const loaded: LoadedCampaign[] = [];
  for (const path of paths) {
    try {
      const campaign = await loadCampaign(path);
      const twin = loaded.find((other) => other.campaign.id === campaign.id);
      if (twin !== undefined)
        throw new FleetError('CAMPAIGN_INVALID', `campaign ${path} has the id of ${twin.path}: ${campaign.id}`);
      loaded.push({ path, campaign });
    } catch (error) {
      const { code, message } = FleetError.from(error);
      refused.push({ code, message, where: path });
    }
  }
  return loaded;
}

async function loadCampaign(path: string): Promise<Campaign> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new FleetError('CAMPAIGN_INVALID', `campaign ${path} cannot be read: check the path`, { cause });
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new FleetError(
      'CAMPAIGN_INVALID',
      `campaign ${path} is not JSON: ${cause instanceof Error ? cause.message : ''}`,
      { cause },
    );
  }
  return parseCampaign(document);
}
