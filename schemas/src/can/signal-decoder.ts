/** Turns the bytes of a CAN frame into physical values. Hot path: offsets are worked out once per message, not per frame. */
import type { DbcMessage, DbcSignal } from './dbc-database.ts';

/** Decodes frames of one message; returns NaN where the frame does not carry the signal. */
export type SignalDecoder = (frame: Uint8Array) => number;

/** Bits that plain number arithmetic reads exactly, with room for an unaligned start. */
const EXACT_BITS_MAX = 48;

type BitField = {
  readonly firstByte: number;
  readonly endByte: number;
  /** Bits below the field in its last significant byte. */
  readonly shift: number;
  readonly isBigEndian: boolean;
  readonly lengthBits: number;
};

/**
 * Makes the decoder of one signal; the signal must belong to the message. Throws a plain error for a name that the message
 * does not have: callers check names when they read a mapping.
 */
export function makeSignalDecoder(message: DbcMessage, signalName: string): SignalDecoder {
  const signal = message.signals.find((candidate) => candidate.name === signalName);
  if (signal === undefined) throw new Error(`message ${message.name} has no signal ${signalName}`);
  return withSelector(message, signal, physicalOf(signal));
}

/** All signals of a frame by name; NaN for signals that the multiplexor leaves out. For tools, not for hot paths. */
export function decodeFrame(message: DbcMessage, frame: Uint8Array): ReadonlyMap<string, number> {
  return new Map(message.signals.map((signal) => [signal.name, makeSignalDecoder(message, signal.name)(frame)]));
}

function withSelector(message: DbcMessage, signal: DbcSignal, decode: SignalDecoder): SignalDecoder {
  const { multiplex } = signal;
  if (multiplex.kind === 'none') return decode;
  const selector = message.signals.find((candidate) => candidate.name === multiplex.by);
  if (selector === undefined || selector === signal)
    throw new Error(`message ${message.name} has no multiplexor ${multiplex.by}`);
  const readSelector = withSelector(message, selector, rawOf(selector));
  return (frame) => {
    const selected = readSelector(frame);
    return multiplex.ranges.some(([from, to]) => selected >= from && selected <= to) ? decode(frame) : Number.NaN;
  };
}

function physicalOf(signal: DbcSignal): SignalDecoder {
  const read = rawOf(signal);
  const { factor, offset } = signal;
  return (frame) => read(frame) * factor + offset;
}

function rawOf(signal: DbcSignal): SignalDecoder {
  const field = bitFieldOf(signal);
  if (signal.valueKind === 'float32' || signal.valueKind === 'float64') return floatReader(field, signal.lengthBits);
  const isSigned = signal.valueKind === 'signed';
  return (field.endByte - field.firstByte) * 8 <= EXACT_BITS_MAX
    ? smallReader(field, isSigned)
    : wideReader(field, isSigned);
}

/** Big endian start bits name the most significant bit in the sawtooth numbering of DBC. */
function bitFieldOf(signal: DbcSignal): BitField {
  const { startBit, lengthBits } = signal;
  const isBigEndian = signal.byteOrder === 'big';
  const firstByte = Math.floor(startBit / 8);
  const leading = isBigEndian ? 7 - (startBit % 8) : startBit % 8;
  const endByte = firstByte + Math.ceil((leading + lengthBits) / 8);
  const shift = isBigEndian ? (endByte - firstByte) * 8 - leading - lengthBits : leading;
  return { firstByte, endByte, shift, isBigEndian, lengthBits };
}

function smallReader(field: BitField, isSigned: boolean): SignalDecoder {
  const { firstByte, endByte, isBigEndian } = field;
  const divisor = 2 ** field.shift;
  const modulus = 2 ** field.lengthBits;
  const signLimit = isSigned ? modulus / 2 : modulus;
  return (frame) => {
    if (frame.length < endByte) return Number.NaN;
    let sum = 0;
    if (isBigEndian) for (let index = firstByte; index < endByte; index += 1) sum = sum * 256 + (frame[index] ?? 0);
    else for (let index = endByte - 1; index >= firstByte; index -= 1) sum = sum * 256 + (frame[index] ?? 0);
    const raw = Math.floor(sum / divisor) % modulus;
    return raw >= signLimit ? raw - modulus : raw;
  };
}

function wideRaw(field: BitField, frame: Uint8Array): bigint {
  const bytes = frame.subarray(field.firstByte, field.endByte);
  const ordered = field.isBigEndian ? bytes : bytes.toReversed();
  const sum = ordered.reduce((total, byte) => (total << 8n) | BigInt(byte), 0n);
  return BigInt.asUintN(field.lengthBits, sum >> BigInt(field.shift));
}

function wideReader(field: BitField, isSigned: boolean): SignalDecoder {
  return (frame) => {
    if (frame.length < field.endByte) return Number.NaN;
    const raw = wideRaw(field, frame);
    return Number(isSigned ? BigInt.asIntN(field.lengthBits, raw) : raw);
  };
}

function floatReader(field: BitField, lengthBits: number): SignalDecoder {
  const view = new DataView(new ArrayBuffer(8));
  return (frame) => {
    if (frame.length < field.endByte) return Number.NaN;
    view.setBigUint64(0, wideRaw(field, frame));
    return lengthBits === 32 ? view.getFloat32(4) : view.getFloat64(0);
  };
}
