/** Capture without servers: drives and a campaign go in, recordings come out, and a summary says what happened. */
import { readFile } from 'node:fs/promises';
import { type ErrorCode, FleetError, parseCampaign, type Campaign } from '@fleetloop/schemas';
import { openDrives } from '../adapters/drive-sources.ts';
import { SpoolFolder } from '../adapters/spool-folder.ts';
import { CaptureLine } from '../agent/capture-line.ts';
import type { Drive, SpoolFiles } from '../ports.ts';
import type { RecordedEvent } from '../record/event-recorder.ts';

const RING_BYTES_MAX = 64 * 1024 * 1024;

export type ReplayOptions = {
  readonly sources: readonly string[];
  readonly mapping: string;
  readonly campaign: string;
  /** Folder for the recordings. */
  readonly out: string;
  readonly vehicleId: string;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  readonly signal?: AbortSignal;
};

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

export type ReplaySummary = {
  readonly events: readonly ReplayedEvent[];
  readonly topics: Readonly<Record<string, { readonly seen: number; readonly kept: number }>>;
  readonly refused: readonly { readonly code: ErrorCode; readonly message: string; readonly where: string }[];
};

/**
 * Replays each source as one drive session. What is refused is named in the summary and does not stop the others. A source that
 * breaks in the middle keeps the events that came before.
 */
export async function replayOffline(options: ReplayOptions): Promise<ReplaySummary> {
  const { vehicleId, hardwareRevision, softwareVersion } = options;
  const vehicle = { id: vehicleId, hardwareRevision };
  const line = new CaptureLine({
    vehicle,
    software: { name: 'fleetloop-agent', version: softwareVersion },
    ringBytesMax: RING_BYTES_MAX,
  });
  const refused: ReplaySummary['refused'][number][] = [];
  const refuse = (error: unknown, where: string): void => {
    const { code, message } = FleetError.from(error);
    refused.push({ code, message, where });
  };
  try {
    line.campaigns.apply([await loadCampaign(options.campaign)]);
    for (const { code, reason } of line.campaigns.refused)
      refused.push({ code: code as ErrorCode, message: reason, where: options.campaign });
  } catch (error) {
    refuse(error, options.campaign);
  }
  const events: ReplayedEvent[] = [];
  if (refused.length === 0) {
    const files = new SpoolFolder(options.out);
    const keep = async (event: RecordedEvent): Promise<void> => {
      events.push(await writeEvent(files, event, options.out));
    };
    await replayAll(options, line, { keep, refuse });
  }
  return { events, topics: Object.fromEntries(line.recorder.topics()), refused };
}

type Sinks = {
  readonly keep: (event: RecordedEvent) => Promise<void>;
  readonly refuse: (error: unknown, where: string) => void;
};

async function replayAll(options: ReplayOptions, line: CaptureLine, { keep, refuse }: Sinks): Promise<void> {
  const replayed = new Set<string>();
  for (const source of options.sources) {
    try {
      for await (const drive of openDrives(
        { mappingPath: options.mapping, files: [source], speed: 0 },
        options.signal,
      )) {
        // Several files of one session may be named; they are one drive.
        if (replayed.has(drive.session)) continue;
        replayed.add(drive.session);
        await replayDrive(line, drive, keep);
      }
    } catch (error) {
      refuse(error, source);
    }
  }
}

async function replayDrive(line: CaptureLine, drive: Drive, keep: Sinks['keep']): Promise<void> {
  line.startSession(drive);
  try {
    for await (const batch of drive.batches()) {
      for (const message of batch) for (const event of line.push(message)) await keep(event);
    }
  } finally {
    for (const event of line.recorder.endSession()) await keep(event);
  }
}

async function writeEvent(files: SpoolFiles, event: RecordedEvent, folder: string): Promise<ReplayedEvent> {
  const name = `${event.id}.mcap`;
  const { sizeBytes } = await files.writeRecording(name, event.metadata, event.messages);
  const { window, gaps } = event;
  return {
    id: event.id,
    session: event.session,
    startNs: window.startNs.toString(),
    endNs: window.endNs.toString(),
    triggers: window.triggers.map(({ campaignId, timeNs }) => ({ campaign: campaignId, timeNs: timeNs.toString() })),
    gaps: gaps.map(({ topic, fromNs, toNs }) => ({ topic, fromNs: fromNs.toString(), toNs: toNs.toString() })),
    file: `${folder}/${name}`,
    bytes: sizeBytes,
  };
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
