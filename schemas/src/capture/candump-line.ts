/** One line of `candump -L`, `candump -l` or plain `candump -t a`: stamp, interface and frame. */
import { CAN_FLAG, CAN_FRAME_DATA_BYTES_MAX, CAN_STANDARD_ID_MAX } from '../can/can-frame.ts';
import { parseTimeNs } from './time-parser.ts';

/** Longest data of classic CAN. */
const CLASSIC_BYTES_MAX = 8;
const EXTENDED_ID_MAX = 0x1fffffff;
/** Set in the id of an error frame, in SocketCAN's struct and so in its text. */
const ERROR_FRAME_BIT = 0x20000000;
/** Bits of the flags digit of CAN FD in the text. */
const FD_BIT_RATE_SWITCH = 1;
const FD_ERROR_STATE = 2;

const LOG_LINE = /^\s*\((\d{1,12}\.\d{1,9})\)\s+([\w.-]{1,32})\s+([0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})#(\S*)(?:\s+[RT])?\s*$/;
const PLAIN_LINE =
  /^\s*\((\d{1,12}\.\d{1,9})\)\s+([\w.-]{1,32})\s+(?:[RT]X\s+[-B]\s+[-E]\s+)?([0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})\s+\[(\d{1,2})\]\s*(.*?)\s*$/;
const LINE_WITHOUT_TIME = /^\s*[\w.-]{1,32}\s+(?:[RT]X\s+[-B]\s+[-E]\s+)?[0-9A-Fa-f]{3,8}\s+\[\d{1,2}\]/;

/** What a line says; `interface` is not a bus number yet. */
export type CandumpFrame = {
  readonly stampNs: bigint;
  readonly interface: string;
  readonly id: number;
  readonly flags: number;
  readonly data: Uint8Array;
  readonly remoteSizeBytes: number;
};

type Payload = Pick<CandumpFrame, 'data' | 'remoteSizeBytes' | 'flags'>;

/** Reads one line; a text instead of a frame says what is wrong with it. */
export function parseCandumpLine(text: string): CandumpFrame | string {
  const logged = LOG_LINE.exec(text);
  if (logged !== null) return frameOf(logged, parsePayload(logged[4] ?? ''));
  const plain = PLAIN_LINE.exec(text);
  if (plain !== null) return frameOf(plain, parsePlainPayload(plain[5] ?? '', Number(plain[4])));
  if (LINE_WITHOUT_TIME.test(text)) return 'the line has no stamp: record with candump -L, -l or -t a';
  return 'the line is no frame of candump: it must read (seconds.fraction) interface id#data';
}

function frameOf(match: RegExpExecArray, payload: Payload | string): CandumpFrame | string {
  if (typeof payload === 'string') return payload;
  const idText = match[3] ?? '';
  const written = Number.parseInt(idText, 16);
  const isError = idText.length === 8 && (written & ERROR_FRAME_BIT) !== 0;
  const isExtended = idText.length === 8 && !isError;
  const id = isError ? written & EXTENDED_ID_MAX : written;
  if (written >= 2 * ERROR_FRAME_BIT || id > (idText.length === 3 ? CAN_STANDARD_ID_MAX : EXTENDED_ID_MAX))
    return `${idText} is no CAN id of 11 or 29 bits`;
  const kind = (isExtended ? CAN_FLAG.extended : 0) + (isError ? CAN_FLAG.error : 0);
  const stampNs = parseTimeNs(match[1] ?? '', 'seconds');
  if (stampNs === undefined) return `${match[1]} is not a time`;
  return { ...payload, stampNs, interface: match[2] ?? '', id, flags: payload.flags + kind };
}

/** What stands behind the first `#`. */
function parsePayload(text: string): Payload | string {
  if (text.startsWith('#')) return parseFdPayload(text.slice(1));
  const remote = /^R(\d)?(?:_[0-9A-Fa-f])?$/i.exec(text);
  if (remote !== null) {
    const remoteSizeBytes = Number(remote[1] ?? 0);
    return remoteSizeBytes > CLASSIC_BYTES_MAX
      ? `a remote frame asks for ${remoteSizeBytes} bytes, more than ${CLASSIC_BYTES_MAX}`
      : { data: new Uint8Array(0), remoteSizeBytes, flags: CAN_FLAG.remote };
  }
  // A length code over 8 may follow the data as `_9` to `_F`; the data has 8 bytes all the same.
  return withData(parseHex(text.replace(/_[9A-Fa-f]$/, '')), CLASSIC_BYTES_MAX, 0);
}

function parseFdPayload(text: string): Payload | string {
  const digit = Number.parseInt(text.slice(0, 1), 16);
  if (Number.isNaN(digit)) return 'a CAN FD frame has no flags digit behind ##';
  const flags =
    CAN_FLAG.fd +
    ((digit & FD_BIT_RATE_SWITCH) === 0 ? 0 : CAN_FLAG.bitRateSwitch) +
    ((digit & FD_ERROR_STATE) === 0 ? 0 : CAN_FLAG.errorState);
  return withData(parseHex(text.slice(1)), CAN_FRAME_DATA_BYTES_MAX, flags);
}

function parsePlainPayload(text: string, sizeBytes: number): Payload | string {
  if (/^remote request$/.test(text))
    return { data: new Uint8Array(0), remoteSizeBytes: sizeBytes, flags: CAN_FLAG.remote };
  // Error frames are followed by words that explain them.
  const bytes = /^(?:[0-9A-Fa-f]{2}(?:\s+|$))*/.exec(text)?.[0] ?? '';
  const data = parseHex(bytes.replaceAll(/\s+/g, ''));
  if (data === undefined || data.length !== sizeBytes)
    return `the line names ${sizeBytes} bytes and has ${data?.length ?? 'others'}`;
  const isFd = sizeBytes > CLASSIC_BYTES_MAX;
  return withData(data, CAN_FRAME_DATA_BYTES_MAX, isFd ? CAN_FLAG.fd : 0);
}

function withData(data: Uint8Array | undefined, sizeBytesMax: number, flags: number): Payload | string {
  if (data === undefined) return 'the data is not made of pairs of hexadecimal digits';
  if (data.length > sizeBytesMax) return `the frame has ${data.length} bytes, more than ${sizeBytesMax}`;
  return { data, remoteSizeBytes: 0, flags };
}

/** Bytes of hexadecimal text; dots between pairs are allowed. Hot path. */
function parseHex(written: string): Uint8Array | undefined {
  const text = written.includes('.') ? written.replaceAll('.', '') : written;
  if (text.length % 2 !== 0) return undefined;
  const data = new Uint8Array(text.length / 2);
  for (let index = 0; index < data.length; index += 1) {
    const high = hexDigit(text.charCodeAt(2 * index));
    const low = hexDigit(text.charCodeAt(2 * index + 1));
    if (high === -1 || low === -1) return undefined;
    data[index] = high * 16 + low;
  }
  return data;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
