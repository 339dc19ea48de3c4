/** Finds what former boots left in the folder of the ring: sessions, blocks, claims, and damage. Nothing unknown is deleted. */
import type { Disk } from '../ports.ts';
import { ClaimJournal, JOURNAL_BYTES_MAX, JOURNAL_NAME } from './claim-journal.ts';
import type { JournalLine } from './claim-lines.ts';
import { offsetOf } from './message-record.ts';
import { type BlockPlace, RecordBlock } from './record-block.ts';
import {
  type FoundFrame,
  readBlock,
  readExact,
  readPackedBlock,
  scanSegment,
  type SegmentScan,
  writeAll,
} from './segment-file.ts';
import { decodeChannels, decodeContext, decodeSession } from './segment-texts.ts';
import { type SessionDisk, StoredSession } from './stored-session.ts';

const QUARANTINE = 'quarantine';
const SEGMENT_NAME = /^segment-(\d{8,})\.ring$/;

export type RingDamage = { readonly file: string; readonly atByte: number; readonly lostBytes: number };

export type FoundSegment = {
  readonly path: string;
  readonly sizeBytes: number;
  readonly blocks: readonly { readonly session: StoredSession; readonly block: RecordBlock }[];
};

export type FoundRing = {
  readonly sessions: readonly StoredSession[];
  readonly segments: readonly FoundSegment[];
  readonly lines: readonly JournalLine[];
  readonly damages: readonly RingDamage[];
  readonly lastSegment: number;
};

/** Reads the folder. @throws the disk's own errors */
export async function findRing(disk: Disk, root: string, port: SessionDisk): Promise<FoundRing> {
  const entries = await disk.list(root);
  const sessions = new Map<number, FoundSession>();
  const segments: FoundSegment[] = [];
  const damages: RingDamage[] = [];
  let lastSegment = 0;
  for (const { name, isFolder } of entries) {
    const number = Number(SEGMENT_NAME.exec(name)?.[1] ?? Number.NaN);
    const path = `${root}/${name}`;
    if (!isFolder && name === JOURNAL_NAME) continue;
    if (isFolder && name === QUARANTINE) continue;
    if (!isFolder && name === `${JOURNAL_NAME}.active`) await tryTo(async () => disk.remove(path));
    else if (isFolder || !Number.isSafeInteger(number)) await setAside(disk, root, name);
    else {
      lastSegment = Math.max(lastSegment, number);
      const scan = await scanSegment(disk, path);
      if (scan.damagedAt !== undefined)
        damages.push({ file: name, atByte: scan.damagedAt, lostBytes: scan.sizeBytes - scan.damagedAt });
      if (scan.frames.length === 0) await setAside(disk, root, name);
      else segments.push(readSegment(disk, path, scan, { sessions, port }));
    }
  }
  const journal = await ClaimJournal.read(disk, root);
  if (journal.damaged > 0) {
    damages.push({ file: JOURNAL_NAME, atByte: 0, lostBytes: journal.damaged });
    // A copy: until the journal is written anew, the file that is there holds the claims.
    await keepCopy(disk, root, JOURNAL_NAME);
  }
  const found = [...sessions.values()].map(({ session, blocks }) => {
    session.blocks.push(...[...blocks].toSorted(([a], [b]) => a - b).map(([, block]) => block));
    return session;
  });
  found.sort((a, b) => a.number - b.number);
  return { sessions: found, segments, lines: journal.lines, damages, lastSegment };
}

type FoundSession = { readonly session: StoredSession; readonly blocks: Map<number, RecordBlock> };
type Reading = { readonly sessions: Map<number, FoundSession>; readonly port: SessionDisk };

function readSegment(disk: Disk, path: string, scan: SegmentScan, { sessions, port }: Reading): FoundSegment {
  const blocks: FoundSegment['blocks'][number][] = [];
  let note: FoundFrame | undefined;
  for (const frame of scan.frames) {
    const { header, payload } = frame;
    const known = sessions.get(header.session);
    if (header.kind === 'block') {
      if (known === undefined || known.blocks.has(header.block)) continue;
      const block = storedBlock(disk, path, frame, known.session);
      known.blocks.set(header.block, block);
      if (note?.payload !== undefined && isNoteOf(note, frame)) known.session.notes.put(block, note.payload);
      blocks.push({ session: known.session, block });
    } else if (header.kind === 'note') note = frame;
    else if (payload !== undefined && header.kind === 'session' && known === undefined) {
      const facts = decodeSession(payload);
      if (facts === undefined) continue;
      sessions.set(header.session, { session: StoredSession.found(header.session, facts, port), blocks: new Map() });
    } else if (payload !== undefined && known !== undefined) readTexts(header.kind, payload, known.session);
  }
  return { path, sizeBytes: scan.sizeBytes, blocks };
}

const isNoteOf = (note: FoundFrame, block: FoundFrame): boolean =>
  note.header.session === block.header.session && note.header.block === block.header.block;

function readTexts(kind: string, payload: Uint8Array, session: StoredSession): void {
  if (kind === 'context') {
    const isKnown = (time: number, channelId: number): boolean =>
      session.context.some((each) => each.time === time && each.channelId === channelId);
    for (const record of decodeContext(payload) ?? [])
      if (!isKnown(record.time, record.channelId)) session.context.push(record);
  }
  if (kind !== 'channels') return;
  const { first = 0, channels = [] } = decodeChannels(payload) ?? {};
  // Each segment names all channels from the first on, so that none is missing here.
  for (const [index, channel] of channels.entries())
    if (first + index === session.channels.size) session.channels.idOf(channel);
}

function storedBlock(disk: Disk, path: string, frame: FoundFrame, session: StoredSession): RecordBlock {
  const { rawBytes, messages, earliestNs, latestNs } = frame.header;
  const place: BlockPlace = {
    read: async () => readBlock(disk, path, frame),
    readPacked: async () => readPackedBlock(disk, path, frame),
  };
  return RecordBlock.stored(session.base, place, {
    endBytes: rawBytes,
    messages,
    earliest: offsetOf(session.base, earliestNs),
    latest: offsetOf(session.base, latestNs),
  });
}

/** Under another name when one of that name is there already. What stays is found again at the next start. */
async function setAside(disk: Disk, root: string, name: string): Promise<void> {
  await tryTo(async () => {
    const target = await placeFor(disk, root, name);
    await disk.rename(`${root}/${name}`, target);
    await disk.syncFolder(`${root}/${QUARANTINE}`);
    await disk.syncFolder(root);
  });
}

async function keepCopy(disk: Disk, root: string, name: string): Promise<void> {
  await tryTo(async () => {
    const bytes = await readWhole(disk, `${root}/${name}`);
    const copy = await disk.open(await placeFor(disk, root, name), 'create');
    try {
      await writeAll(copy, bytes);
    } finally {
      await copy.close();
    }
  });
}

async function placeFor(disk: Disk, root: string, name: string): Promise<string> {
  const folder = `${root}/${QUARANTINE}`;
  await disk.makeFolder(folder);
  const taken = new Set((await disk.list(folder)).map((entry) => entry.name));
  let target = name;
  for (let copy = 2; taken.has(target); copy += 1) target = `${name}.${copy}`;
  return `${folder}/${target}`;
}

async function readWhole(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, 'read');
  try {
    return await readExact(file, 0, Math.min((await disk.sizeOf(path)) ?? 0, JOURNAL_BYTES_MAX));
  } finally {
    await file.close();
  }
}

/** A disk that takes nothing is no reason not to capture. */
async function tryTo(work: () => Promise<unknown>): Promise<void> {
  await work().catch(() => {});
}
