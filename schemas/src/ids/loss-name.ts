/**
 * Names of losses. A vehicle names a tombstone after its event; one that lost it again, or lost the rest of it while a shorter
 * recording stayed, adds to the name: `ev-1`, `ev-1-2`, `ev-1-rest`, `ev-1-rest-2`. Who asks for the event means all of them.
 */

const REST = '-rest';
/** What may stand behind the id of the event, as a regular expression of a whole suffix. */
export const LOSS_SUFFIX = '(-rest)?(-[0-9]{1,9})?';

/** The name of what is lost of an event of which a shorter recording stays. */
export const restOf = (eventId: string): string => `${eventId}${REST}`;

/** The cloud keeps one tombstone of a name: the first loss has the event's own, later ones count. */
export const lossName = (eventId: string, lossesBefore: number): string =>
  lossesBefore === 0 ? eventId : `${eventId}-${lossesBefore + 1}`;
