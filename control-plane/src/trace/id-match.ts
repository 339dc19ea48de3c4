/** Why: what a person types may be an id, the part of it after its kind, the digits of a digest, or the beginning of any of these. */
import { LOSS_SUFFIX } from '@fleetloop/schemas';
import type { Span } from './id-table.ts';
import type { IdsLike } from './lineage-graph.ts';
import { compareText } from './lineage-graph.ts';

const KIND = /^[a-z-]+:/;
const ALGORITHM = 'sha256:';
const LOST = 'lost-recording:';
const LOSS = new RegExp(`^(?:${LOSS_SUFFIX})$`);
const COLON = 0x3a;
const HYPHEN = 0x2d;
const LETTERS = { first: 0x61, last: 0x7a } as const;

/** 0: the text is the id; 1: it names it; 2: the id begins with it; undefined: it does not fit. */
export function rankOf(id: string, text: string): number | undefined {
  if (id === text) return 0;
  const rest = id.replace(KIND, '');
  if (rest === text || rest === ALGORITHM + text) return 1;
  if (id.startsWith(LOST) && isPartOfLost(rest.split('/')[1] ?? '', text)) return 1;
  if (id.startsWith(text)) return 2;
  // Labels begin with the digest of their recording, which is what such a beginning means.
  if (id.startsWith('label:')) return undefined;
  return rest.startsWith(text) || rest.startsWith(ALGORITHM + text) ? 2 : undefined;
}

/** An event is the name of whatever was lost of it. */
function isPartOfLost(event: string, text: string): boolean {
  return event.startsWith(text) && LOSS.test(event.slice(text.length));
}

/** False where `rankOf` would be undefined, by the bytes alone; true where it has to be asked. */
export function mayFit({ bytes, from, to }: Span, text: Uint8Array): boolean {
  if (startsAt(bytes, from, text)) return true;
  let rest = from;
  while (rest < to && isOfKind(bytes[rest] ?? 0)) rest += 1;
  rest = bytes[rest] === COLON ? rest + 1 : from;
  if (startsAt(bytes, rest, text) || startsAt(bytes, rest + ALGORITHM.length, text)) return true;
  return rest - from === LOST.length;
}

function startsAt(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let index = 0; index < text.length; index += 1) if (bytes[at + index] !== text[index]) return false;
  return true;
}

function isOfKind(byte: number): boolean {
  return byte === HYPHEN || (byte >= LETTERS.first && byte <= LETTERS.last);
}

/** The first ids of the best rank. Mutates as ids are offered. */
export class BestIds {
  readonly #limit: number;
  #rank = Number.POSITIVE_INFINITY;
  #ids: string[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  offer(id: string, rank: number): void {
    const last = this.#ids.at(-1);
    if (rank > this.#rank) return;
    if (rank === this.#rank && this.#ids.length === this.#limit && last !== undefined && compareText(id, last) > 0)
      return;
    this.#ids = (rank < this.#rank ? [id] : [...this.#ids, id]).toSorted(compareText).slice(0, this.#limit);
    this.#rank = rank;
  }

  found(): IdsLike {
    return { rank: this.#rank, ids: this.#ids };
  }
}
