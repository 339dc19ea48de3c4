/** Where things lie in the spool's folder. */
import { ACTIVE_SUFFIX } from './durable-files.ts';

export const QUEUE = 'queue';
export const REFUSED = 'refused';
export const QUARANTINE = 'quarantine';
/** What the spool knows, one record a line; all but the outcomes can be rebuilt from the recordings. */
export const INDEX = 'index.journal';

const RECORDING = /^([a-z0-9][a-z0-9_-]{0,63})(?:\.([1-9]\d{0,8}))?\.mcap$/;

/** A file of the queue's folder, told by its name. */
export type QueueName =
  | { readonly kind: 'recording'; readonly eventId: string; readonly generation: number }
  | { readonly kind: 'active' }
  | { readonly kind: 'unknown' };

/** Name of a recording; the first of an event has no number. */
export const recordingFile = (eventId: string, generation: number): string =>
  generation === 0 ? `${eventId}.mcap` : `${eventId}.${generation}.mcap`;

export const recordingName = (eventId: string, generation: number): string =>
  `${QUEUE}/${recordingFile(eventId, generation)}`;

/** Reads a name of the queue's folder. */
export function parseQueueName(name: string): QueueName {
  const file = name.slice(name.lastIndexOf('/') + 1);
  if (file.endsWith(ACTIVE_SUFFIX)) return { kind: 'active' };
  const [, eventId, generation = '0'] = RECORDING.exec(file) ?? [];
  return eventId === undefined
    ? { kind: 'unknown' }
    : { kind: 'recording', eventId, generation: Number.parseInt(generation, 10) };
}
