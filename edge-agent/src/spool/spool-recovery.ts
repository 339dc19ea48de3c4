/** Rebuilds the spool's index from its folder: what is ours is continued, what is unknown is adopted or set aside, never deleted. */
import { FleetError } from '@fleetloop/schemas';
import { readRecording } from '@fleetloop/schemas/recording';
import type { AgentLogger, SpoolFiles } from '../ports.ts';
import { digestRecording } from './chunk-digests.ts';
import { fromSidecarText, type Outcome, type SpoolEntry, toSidecarText } from './spool-entry.ts';
import { QUARANTINE, QUEUE, recordingName, REFUSED, sidecarName } from './spool-layout.ts';

/** Bytes read at a time from a recording that is adopted. */
const READ_BYTES = 256 * 1024;

export type Recovery = {
  readonly entries: readonly SpoolEntry[];
  /** `.active` files of recordings that were being written at a crash; their drive is replayed. */
  readonly discardedActive: number;
  readonly adopted: number;
  readonly quarantined: number;
};

type Context = {
  readonly files: SpoolFiles;
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly logger: AgentLogger;
};

type Found = { readonly name: string; readonly sizeBytes: number };

/** Looks at each file of the queue folder and says what it is. */
export async function recoverSpool(context: Context): Promise<Recovery> {
  const { files } = context;
  const found = await files.list(QUEUE);
  const names = new Set(found.map((file) => file.name));
  const entries: SpoolEntry[] = [];
  const counts = { discardedActive: 0, adopted: 0, quarantined: 0 };
  for (const file of found) {
    if (file.name.endsWith('.active')) {
      await files.remove(file.name);
      counts.discardedActive += 1;
    } else if (file.name.endsWith('.mcap')) {
      const entry = await recoverRecording(context, file, counts);
      if (entry !== undefined) entries.push(entry);
    } else if (isLeftSidecar(file.name, context)) {
      await files.remove(file.name);
    } else if (!isSidecarOf(file.name, names)) {
      await setAside(context, file, 'no recording belongs to it');
      counts.quarantined += 1;
    }
  }
  const last = entries.reduce((highest, entry) => Math.max(highest, entry.order), -1);
  return { entries: orderAdopted(entries, last), ...counts };
}

function isSidecarOf(name: string, names: ReadonlySet<string>): boolean {
  return name.endsWith('.json') && names.has(`${name.slice(0, -'.json'.length)}.mcap`);
}

/** Beside a recording that has left the queue; whoever removed the recording did not get to it. */
function isLeftSidecar(name: string, { outcomes }: Context): boolean {
  return name.endsWith('.json') && outcomes.has(name.slice(`${QUEUE}/`.length, -'.json'.length));
}

type Counts = { adopted: number; quarantined: number };

async function recoverRecording(context: Context, file: Found, counts: Counts): Promise<SpoolEntry | undefined> {
  const { files, outcomes } = context;
  const eventId = file.name.slice(`${QUEUE}/`.length, -'.mcap'.length);
  const outcome = outcomes.get(eventId);
  if (outcome !== undefined) {
    await finishLeftover(files, eventId, outcome);
    return undefined;
  }
  const sidecar = fromSidecarText((await files.readText(sidecarName(eventId))) ?? '');
  if (sidecar?.eventId === eventId && sidecar.sizeBytes === file.sizeBytes) return sidecar;
  try {
    const entry = await adopt(files, eventId, file);
    counts.adopted += 1;
    context.logger.warn({ eventId }, 'spool.recording.adopted');
    return entry;
  } catch (error) {
    await setAside(context, file, FleetError.from(error).message);
    counts.quarantined += 1;
    return undefined;
  }
}

/** The outcome was on disk but the file was not gone yet when the power went. */
async function finishLeftover(files: SpoolFiles, eventId: string, outcome: Outcome): Promise<void> {
  if (outcome.outcome === 'refused') await files.move(recordingName(eventId), `${REFUSED}/${eventId}.mcap`);
  else if (outcome.outcome === 'quarantined') await files.move(recordingName(eventId), `${QUARANTINE}/${eventId}.mcap`);
  else await files.remove(recordingName(eventId));
}

/** A whole recording without its sidecar: what it must say of itself is inside. Its priority is not, so it goes as normal. */
async function adopt(files: SpoolFiles, eventId: string, file: Found): Promise<SpoolEntry> {
  let event: { readonly id: string; readonly campaigns: readonly string[] } | undefined;
  let session = '';
  for await (const item of readRecording(readPieces(files, file))) {
    if (item.kind !== 'metadata') continue;
    const { name, metadata } = item.record;
    if (name === 'fleet.event')
      event = { id: metadata.get('id') ?? '', campaigns: JSON.parse(metadata.get('campaigns') ?? '[]') as string[] };
    if (name === 'fleet.session') session = metadata.get('name') ?? '';
  }
  if (event?.id !== eventId) throw new FleetError('SPOOL_CORRUPT', `${file.name} does not hold the event of its name`);
  const digests = await digestRecording(files, file.name, file.sizeBytes);
  const campaignIds = [...event.campaigns];
  const entry: SpoolEntry = {
    version: 1,
    eventId,
    ...digests,
    priority: 'normal',
    session,
    campaignIds,
    order: 0,
    isResumed: true,
  };
  await files.writeText(sidecarName(eventId), toSidecarText(entry));
  return { ...entry, order: Number.MAX_SAFE_INTEGER };
}

/** Adopted recordings come after those whose order is known. */
function orderAdopted(entries: readonly SpoolEntry[], last: number): SpoolEntry[] {
  const known = entries.filter((entry) => entry.order !== Number.MAX_SAFE_INTEGER);
  const highest = last === Number.MAX_SAFE_INTEGER ? Math.max(-1, ...known.map((entry) => entry.order)) : last;
  const adopted = entries.filter((entry) => entry.order === Number.MAX_SAFE_INTEGER);
  return [...known, ...adopted.map((entry, index) => ({ ...entry, order: highest + 1 + index }))].toSorted(
    (a, b) => a.order - b.order,
  );
}

async function* readPieces(files: SpoolFiles, file: Found): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < file.sizeBytes; offset += READ_BYTES) {
    yield await files.readBytes(file.name, offset, Math.min(READ_BYTES, file.sizeBytes - offset));
  }
}

async function setAside({ files, logger }: Context, file: Found, reason: string): Promise<void> {
  const target = `${QUARANTINE}/${file.name.slice(`${QUEUE}/`.length)}`;
  await files.move(file.name, target);
  await files.writeText(`${target}.reason.txt`, `${reason}\n`);
  logger.warn({ file: file.name, reason }, 'spool.file.quarantined');
}
