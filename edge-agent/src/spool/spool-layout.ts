/** Where things lie in the spool's folder. */
export const QUEUE = 'queue';
export const REFUSED = 'refused';
export const QUARANTINE = 'quarantine';
/** One line per recording that has left the queue. */
export const OUTCOMES = 'outcomes.jsonl';

export const recordingName = (eventId: string): string => `${QUEUE}/${eventId}.mcap`;
export const sidecarName = (eventId: string): string => `${QUEUE}/${eventId}.json`;
