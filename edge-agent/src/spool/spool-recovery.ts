/**
 * Compares the queue's folder with the index at a start: what is ours is continued, what is unknown is adopted or set aside, never
 * deleted. Names and sizes decide, so that a full spool is ready at once; files are read later, in the background.
 */
import { ACTIVE_SUFFIX, type DurableFiles, type ListedFile } from './durable-files.ts';
import type { Outcome, SpoolEntry } from './spool-entry.ts';
import type { SpoolIndex } from './spool-index.ts';
import { parseQueueName, QUARANTINE, QUEUE, recordingFile, REFUSED } from './spool-layout.ts';

export type Unadopted = ListedFile & { readonly generation: number };

/** Files of one event that must be read before it is known what they are. */
export type AdoptionCase = {
  /** Newest first. */
  readonly files: readonly Unadopted[];
  /** What the index said of a file that is gone or has another size: a loss if nothing can be adopted. */
  readonly lost: SpoolEntry | undefined;
};

export type RecoveryPlan = {
  /** Recordings that were being written, and older files of events that have a newer one. */
  readonly remove: readonly string[];
  /** Files that nobody here has named. */
  readonly setAside: readonly string[];
  /** Recordings whose end is known; whoever ended them did not get to the file. */
  readonly finish: readonly { readonly file: ListedFile; readonly outcome: Outcome }[];
  readonly adopt: ReadonlyMap<string, AdoptionCase>;
  /** Entries whose file is gone for good. */
  readonly missing: readonly SpoolEntry[];
};

/** Says what is to be done; changes nothing. */
export function planRecovery(found: readonly ListedFile[], index: SpoolIndex): RecoveryPlan {
  const remove: string[] = [];
  const setAside: string[] = [];
  const finish: { readonly file: ListedFile; readonly outcome: Outcome }[] = [];
  const unknown = new Map<string, Unadopted[]>();
  const present = new Set<string>();
  for (const file of found) {
    const name = parseQueueName(file.name);
    if (name.kind === 'active') remove.push(file.name);
    else if (name.kind === 'unknown') setAside.push(file.name);
    else {
      const { eventId, generation } = name;
      const entry = index.entry(eventId);
      const outcome = index.outcome(eventId);
      if (entry === undefined && outcome !== undefined) finish.push({ file, outcome });
      else if (entry?.generation === generation && entry.sizeBytes === file.sizeBytes) present.add(eventId);
      else if (entry !== undefined && generation < entry.generation) remove.push(file.name);
      else unknown.set(eventId, [{ ...file, generation }, ...(unknown.get(eventId) ?? [])]);
    }
  }
  const gone = index.entries().filter((entry) => !present.has(entry.eventId));
  const missing = gone.filter((entry) => !unknown.has(entry.eventId));
  const adopt = [...unknown].map(([eventId, files]): [string, AdoptionCase] => {
    const sorted = files.toSorted((a, b) => b.generation - a.generation);
    return [eventId, { files: sorted, lost: gone.find((entry) => entry.eventId === eventId) }];
  });
  return { remove, setAside, finish, adopt: new Map(adopt), missing };
}

/** Brings a file whose end is known to where it belongs. */
export async function finishFile(files: DurableFiles, file: ListedFile, outcome: Outcome): Promise<void> {
  if (outcome.outcome === 'refused') await setFileAside(files, file.name, { folder: REFUSED, outcome });
  else if (outcome.outcome === 'quarantined') await setFileAside(files, file.name, { folder: QUARANTINE, outcome });
  else await files.remove(file.name);
}

/** Keeps a file in another folder with the reason beside it. */
export async function setFileAside(
  files: DurableFiles,
  name: string,
  why: { readonly folder: string; readonly outcome: Pick<Outcome, 'id' | 'code' | 'reason'> },
): Promise<void> {
  const { folder, outcome } = why;
  const file = name.slice(`${QUEUE}/`.length);
  const target = `${folder}/${parseQueueName(file).kind === 'recording' ? recordingFile(outcome.id, 0) : file}`;
  const code = outcome.code === undefined ? '' : `${outcome.code}: `;
  await files.writeText(`${target}.reason.txt`, `${code}${outcome.reason ?? ''}\n`);
  await files.move(name, target);
}

/** What a power cut left half written in another folder than the queue. */
export async function removeActive(files: DurableFiles, folder: string): Promise<void> {
  for (const { name } of await files.list(folder)) if (name.endsWith(ACTIVE_SUFFIX)) await files.remove(name);
}
