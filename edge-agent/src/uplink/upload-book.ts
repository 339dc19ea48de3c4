/**
 * All uploads, so ordered that what is next is found without looking at the others: fifty thousand may wait. Uploads change
 * in place here; their states stay values.
 */
import { MinHeap } from './min-heap.ts';
import { type Deadline, type Urgency, urgencyOf } from './urgency.ts';
import { keyOf, type LaneName, type UploadItem } from './upload-item.ts';
import { nextSend, type UploadState } from './upload-state.ts';

/** Uploads of one lane that are begun and well; the next waits until one of them is over. */
export const UPLOADS_OPEN_MAX = 32;

export type Upload = {
  readonly key: string;
  readonly item: UploadItem;
  readonly deadline: Deadline | undefined;
  readonly order: number;
  urgency: Urgency;
  /** Undefined until its first message. */
  state: UploadState | undefined;
  /** Its end is being written to the spool. */
  isSettling: boolean;
};

type Place = {
  upload: Upload;
  lane: Lane | undefined;
  isBegun: boolean;
  readyStamp: number;
  wakeAtMs: number;
  wakeStamp: number;
};
type ReadyNode = { readonly place: Place; readonly stamp: number; readonly isBegun: boolean };
type WakeNode = { readonly place: Place; readonly stamp: number; readonly atMs: number };

/** Those that may send now, begun ones first and then by capture; and how many of the lane are open. */
class Lane {
  readonly ready = new MinHeap<ReadyNode>(isBefore);
  /** Begun and without trouble of their own. */
  well = 0;
  /** Begun, and failing or waiting for a receipt that is late. */
  ailing = 0;
}

function isBefore(left: ReadyNode, right: ReadyNode): boolean {
  if (left.isBegun !== right.isBegun) return left.isBegun;
  return left.place.upload.order < right.place.upload.order;
}

export class UploadBook {
  readonly #places = new Map<string, Place>();
  readonly #wakes = new MinHeap<WakeNode>((left, right) => left.atMs < right.atMs);
  readonly #lanes = new Map<string, Lane>();
  readonly #counted = new Map<Place, { readonly lane: Lane; readonly isAiling: boolean }>();

  get size(): number {
    return this.#places.size;
  }

  find(key: string): Upload | undefined {
    return this.#places.get(key)?.upload;
  }

  all(): IterableIterator<Upload> {
    return this.#uploads();
  }

  put(item: UploadItem, order: number, deadline: Deadline | undefined, nowMs: number): void {
    const key = keyOf(item);
    const upload: Upload = {
      key,
      item,
      deadline,
      order,
      urgency: urgencyOf(item.entry.priority, deadline, nowMs),
      state: undefined,
      isSettling: false,
    };
    this.remove(key);
    const place = {
      upload,
      lane: undefined,
      isBegun: false,
      readyStamp: 0,
      wakeAtMs: Number.POSITIVE_INFINITY,
      wakeStamp: 0,
    };
    this.#places.set(key, place);
    this.update(key, nowMs);
  }

  remove(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    this.#places.delete(key);
    this.#unready(place);
    place.wakeStamp += 1;
    this.#count(place, undefined, false);
  }

  /** Finds the upload's place anew after its state has changed. */
  update(key: string, nowMs: number): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    const { upload } = place;
    upload.urgency = urgencyOf(upload.item.entry.priority, upload.deadline, nowMs);
    const { state } = upload;
    const next = upload.isSettling ? IDLE : state === undefined ? READY : nextSend(state, nowMs);
    const lane = this.#laneOf(upload);
    if (next.kind === 'chunk' || next.kind === 'manifest') this.#ready(place, lane, state !== undefined);
    else this.#unready(place);
    const isOpen = state !== undefined && !state.isStored && !upload.isSettling;
    this.#count(place, isOpen ? lane : undefined, isOpen && isAiling(state));
    const waitUntilMs = next.kind === 'wait' ? next.untilMs : Number.POSITIVE_INFINITY;
    this.#wakeAt(place, Math.min(waitUntilMs, upload.urgency.changesAtMs ?? Number.POSITIVE_INFINITY));
  }

  /** Finds those anew whose time has come; returns when the next one's comes, or infinity. */
  wake(nowMs: number): number {
    for (let node = this.#wakes.peek(); node !== undefined; node = this.#wakes.peek()) {
      const isCurrent = node.stamp === node.place.wakeStamp;
      if (isCurrent && node.atMs > nowMs) return node.atMs;
      this.#wakes.pop();
      if (!isCurrent) continue;
      node.place.wakeAtMs = Number.POSITIVE_INFINITY;
      this.update(node.place.upload.key, nowMs);
    }
    return Number.POSITIVE_INFINITY;
  }

  /**
   * The upload of a lane that sends next. With `countAiling`, those that are in trouble count as open: nothing new is begun
   * while nobody answers.
   */
  next(name: LaneName, countAiling: boolean): Upload | undefined {
    return this.#first(`${name}`, countAiling) ?? this.#first(`${name}+`, countAiling);
  }

  #first(laneKey: string, countAiling: boolean): Upload | undefined {
    const lane = this.#lanes.get(laneKey);
    if (lane === undefined) return undefined;
    for (let node = lane.ready.peek(); node !== undefined; node = lane.ready.peek()) {
      if (node.stamp !== node.place.readyStamp) {
        lane.ready.pop();
        continue;
      }
      const open = lane.well + (countAiling ? lane.ailing : 0);
      return node.isBegun || open < UPLOADS_OPEN_MAX ? node.place.upload : undefined;
    }
    return undefined;
  }

  *#uploads(): IterableIterator<Upload> {
    for (const place of this.#places.values()) yield place.upload;
  }

  #laneOf({ item, urgency }: Upload): Lane {
    const key = item.kind === 'tombstone' ? 'tombstone' : `${urgency.priority}${urgency.isBoosted ? '+' : ''}`;
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const lane = new Lane();
    this.#lanes.set(key, lane);
    return lane;
  }

  #ready(place: Place, lane: Lane, isBegun: boolean): void {
    // The usual case, one chunk of many: it stays where it is.
    if (place.lane === lane && place.isBegun === isBegun) return;
    place.readyStamp += 1;
    place.lane = lane;
    place.isBegun = isBegun;
    lane.ready.push({ place, stamp: place.readyStamp, isBegun });
  }

  #unready(place: Place): void {
    place.readyStamp += 1;
    place.lane = undefined;
  }

  #wakeAt(place: Place, atMs: number): void {
    if (atMs === place.wakeAtMs) return;
    place.wakeAtMs = atMs;
    place.wakeStamp += 1;
    if (Number.isFinite(atMs)) this.#wakes.push({ place, stamp: place.wakeStamp, atMs });
  }

  #count(place: Place, lane: Lane | undefined, ailing: boolean): void {
    const before = this.#counted.get(place);
    if (before?.lane === lane && before?.isAiling === ailing) return;
    if (before !== undefined) before.lane[before.isAiling ? 'ailing' : 'well'] -= 1;
    if (lane === undefined) {
      this.#counted.delete(place);
      return;
    }
    lane[ailing ? 'ailing' : 'well'] += 1;
    this.#counted.set(place, { lane, isAiling: ailing });
  }
}

const IDLE = { kind: 'idle' } as const;
/** What nobody has begun can begin. */
const READY = { kind: 'manifest' } as const;

/** Whether an upload has troubles of its own, or its receipt is late. */
export function isAiling(state: UploadState): boolean {
  return state.failures > 0 || state.silences > 0;
}
