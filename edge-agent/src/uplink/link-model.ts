/**
 * How many bytes may wait for the server, from what was measured. The window is one piece that the link works on, what is on
 * its way there and back (rate times the shortest round trip), and one piece that waits: enough to keep any link busy, and
 * never more than about one piece in front of an urgent one. It grows by itself: with one more piece under way the measured rate rises until the link is full.
 */

export type LinkModel = {
  /** Most bytes in flight, whatever was measured. */
  readonly maxBytes: number;
  readonly inFlightBytes: number;
  /** Bytes that the server has confirmed, and when it confirmed the last of them. */
  readonly deliveredBytes: number;
  readonly deliveredAtMs: number;
  /** The latest measured rates, bytes per ms, newest last. */
  readonly rates: readonly number[];
  /** Shortest round trip of a large piece, and when that was measured. */
  readonly roundTripMs: number | undefined;
  readonly roundTripAtMs: number;
  /** The largest piece seen. */
  readonly pieceBytes: number;
  /** Waits that were too short, in a row. */
  readonly timeouts: number;
};

/** One piece under way. */
export type Flight = {
  readonly bytes: number;
  readonly sentAtMs: number;
  readonly deliveredBytes: number;
  readonly deliveredAtMs: number;
  readonly isAlone: boolean;
};

const RATES_KEPT = 8;
/** The shortest round trip is measured again after this long, with one piece alone on the link. */
const ROUND_TRIP_AGE_MS_MAX = 30_000;
/** More than the product of rate and round trip, so that uneven answers leave no hole. */
const WINDOW_GAIN = 1.25;
/** A piece this much smaller than the largest tells nothing about rate and round trip. */
const SAMPLE_SHARE = 0.5;
const PIECE_BYTES_ASSUMED = 64 * 1_024;
const RATE_ASSUMED_BYTES_PER_MS = 16;
const RATE_BYTES_PER_MS_MIN = 0.5;
/** How long an answer may take beyond its time on the link, and how many times that time. */
const TIMEOUT_BASE_MS = 60_000;
const TIMEOUT_FACTOR = 4;
const TIMEOUT_MS_MAX = 3_600_000;
const TIMEOUT_DOUBLINGS_MAX = 6;

export function startLinkModel(maxBytes: number): LinkModel {
  return {
    maxBytes,
    inFlightBytes: 0,
    deliveredBytes: 0,
    deliveredAtMs: 0,
    rates: [],
    roundTripMs: undefined,
    roundTripAtMs: 0,
    pieceBytes: 0,
    timeouts: 0,
  };
}

/** Bytes that may be in flight now. */
export function windowBytes(model: LinkModel, nowMs: number): number {
  const pieceBytes = model.pieceBytes === 0 ? PIECE_BYTES_ASSUMED : model.pieceBytes;
  const rate = Math.max(0, ...model.rates);
  const isStale = nowMs - model.roundTripAtMs > ROUND_TRIP_AGE_MS_MAX;
  if (model.roundTripMs === undefined || isStale) return pieceBytes;
  // A piece that was alone has spent its own length on the link: what is beyond it is the way there and back.
  const onTheWay = Math.max(0, rate * model.roundTripMs - pieceBytes);
  return Math.min(model.maxBytes, 2 * pieceBytes + WINDOW_GAIN * onTheWay);
}

/** Whether one more piece may go. With nothing in flight any piece may. */
export function mayTake(model: LinkModel, bytes: number, nowMs: number): boolean {
  return model.inFlightBytes === 0 || model.inFlightBytes + bytes <= windowBytes(model, nowMs);
}

/** How long the answer to a piece that goes now may take, ms: what is in front of it must pass first. */
export function answerTimeoutMs(model: LinkModel, bytes: number): number {
  const slowest = model.rates.length === 0 ? RATE_ASSUMED_BYTES_PER_MS : Math.min(...model.rates);
  const onLinkMs = (model.inFlightBytes + bytes) / Math.max(RATE_BYTES_PER_MS_MIN, slowest);
  const doublings = Math.min(TIMEOUT_DOUBLINGS_MAX, model.timeouts);
  return Math.min(TIMEOUT_MS_MAX, (TIMEOUT_BASE_MS + TIMEOUT_FACTOR * onLinkMs) * 2 ** doublings);
}

export function onSent(
  model: LinkModel,
  bytes: number,
  nowMs: number,
): { readonly model: LinkModel; readonly flight: Flight } {
  const isAlone = model.inFlightBytes === 0;
  // After a pause the clock of deliveries starts again: silence is no slow link.
  const deliveredAtMs = isAlone ? nowMs : model.deliveredAtMs;
  const { deliveredBytes } = model;
  return {
    model: {
      ...model,
      inFlightBytes: model.inFlightBytes + bytes,
      deliveredAtMs,
      pieceBytes: Math.max(model.pieceBytes, bytes),
    },
    flight: { bytes, sentAtMs: nowMs, deliveredBytes, deliveredAtMs, isAlone },
  };
}

/** The server has a piece. */
export function onConfirmed(model: LinkModel, flight: Flight, nowMs: number): LinkModel {
  const deliveredBytes = model.deliveredBytes + flight.bytes;
  const after: LinkModel = {
    ...model,
    inFlightBytes: Math.max(0, model.inFlightBytes - flight.bytes),
    deliveredBytes,
    deliveredAtMs: nowMs,
    timeouts: 0,
  };
  if (flight.bytes < model.pieceBytes * SAMPLE_SHARE) return after;
  const rate = (deliveredBytes - flight.deliveredBytes) / Math.max(1, nowMs - flight.deliveredAtMs);
  const rates = [...model.rates, rate].slice(-RATES_KEPT);
  const roundTripMs = Math.max(1, nowMs - flight.sentAtMs);
  const isShortest = model.roundTripMs === undefined || roundTripMs <= model.roundTripMs;
  if (!isShortest && !flight.isAlone) return { ...after, rates };
  return { ...after, rates, roundTripMs, roundTripAtMs: nowMs };
}

/** A piece will not be answered. */
export function onLost(model: LinkModel, flight: Flight, isTimeout: boolean): LinkModel {
  return {
    ...model,
    inFlightBytes: Math.max(0, model.inFlightBytes - flight.bytes),
    timeouts: isTimeout ? model.timeouts + 1 : model.timeouts,
  };
}

/** Measured bytes per second; 0 before the first measurement. */
export function goodputBytesPerS(model: LinkModel): number {
  return Math.round(Math.max(0, ...model.rates) * 1_000);
}
