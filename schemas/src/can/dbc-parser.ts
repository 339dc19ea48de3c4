/** Reads the text of a DBC file: messages, signals, float kinds and multiplexing; every error names its line. */
import { FleetError } from '../errors/fleet-error.ts';
import type { DbcDatabase, DbcMessage, DbcMultiplex, DbcProblem, DbcSignal, DbcValueKind } from './dbc-database.ts';
import { DBC_MESSAGE_SIZE_BYTES_MAX } from './dbc-database.ts';

/** Largest accepted text in UTF-16 units; the largest public file we know has 0.6 MB. */
export const DBC_TEXT_LENGTH_MAX = 16 * 1024 * 1024;

/** Longest declaration in UTF-16 units; comments and value tables may be longer. */
const DECLARATION_LENGTH_MAX = 64 * 1024;
/** Most signals of one message; the largest public message has 255. */
const SIGNALS_PER_MESSAGE_MAX = 1_024;

/** Longest chain of multiplexors that depend on each other. */
const MULTIPLEXORS_DEPTH_MAX = 16;

const EXTENDED_FLAG = 2 ** 31;
const STANDARD_ID_MAX = 0x7ff;
const EXTENDED_ID_MAX = 0x1fffffff;
/** Vector tools park signals without a message under this name; it is on no bus and no problem. */
const INDEPENDENT_SIGNALS_NAME = 'VECTOR__INDEPENDENT_SIG_MSG';
const NUMBER = String.raw`[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?`;
const MESSAGE = /^BO_\s+(\d+)\s+(\w+)\s*:\s*(\d+)\s+(\w+)\s*$/;
const SIGNAL = new RegExp(
  String.raw`^SG_\s+(\w+)\s*(M|m\d+M?)?\s*:\s*(\d+)\|(\d+)@([01])([+-])\s*` +
    String.raw`\(\s*(${NUMBER})\s*,\s*(${NUMBER})\s*\)\s*\[\s*${NUMBER}\s*\|\s*${NUMBER}\s*\]\s*"([^"]*)"`,
);
const VALUE_TYPE = /^SIG_VALTYPE_\s+(\d+)\s+(\w+)\s*:?\s*([0-3])\s*;/;
const EXTENDED_MULTIPLEX = /^SG_MUL_VAL_\s+(\d+)\s+(\w+)\s+(\w+)\s+(.+);/;
const IMPORT = /^CM_\s+"IMPORT\s+([^"]+?)\s*"\s*;/;

/** A signal while its file is still being read. */
type SignalDraft = Omit<DbcSignal, 'isMultiplexor' | 'multiplex' | 'valueKind'> & {
  readonly line: number;
  readonly marker: string;
  valueKind: DbcValueKind;
  selector: { readonly by: string; readonly ranges: readonly (readonly [number, number])[] } | undefined;
};
type MessageDraft = Omit<DbcMessage, 'signals'> & { readonly line: number; readonly signals: SignalDraft[] };
type Draft = {
  readonly messages: Map<number, MessageDraft>;
  readonly imports: string[];
  readonly problems: DbcProblem[];
  current: MessageDraft | undefined;
};

/**
 * Parses a DBC file. What does not parse is refused; a declaration that parses but can be on no bus (an id over 29 bits, a signal
 * that reaches over its message) is left out and listed under `problems`, because public files contain such lines.
 * @throws FleetError `DBC_INVALID` with `line` (from 1) in its details.
 */
export function parseDbc(text: string, fileName = 'dbc'): DbcDatabase {
  if (text.length > DBC_TEXT_LENGTH_MAX)
    refuse(fileName, 1, `the file is longer than ${DBC_TEXT_LENGTH_MAX} characters`);
  const draft: Draft = { messages: new Map(), imports: [], problems: [], current: undefined };
  for (const statement of statements(text, fileName)) {
    readStatement(draft, statement.text, statement.line, fileName);
  }
  const problems = draft.problems;
  const usable = [...draft.messages.values()].filter((message) => isOnABus(message, problems));
  const messages = usable.map((message) => finishMessage(message, problems, fileName));
  return { messages, imports: draft.imports, problems: problems.toSorted((a, b) => a.line - b.line) };
}

/** Joins the lines of quoted text that runs over several lines, so that its content is never taken for a statement. */
function* statements(text: string, fileName: string): Generator<{ text: string; line: number }> {
  let parts: string[] = [];
  let startLine = 1;
  let isOpen = false;
  let line = 0;
  for (const part of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    line += 1;
    if (parts.length === 0) startLine = line;
    isOpen = endsInQuote(part, isOpen);
    parts.push(part);
    if (isOpen) continue;
    const joined = parts.length === 1 ? part.trim() : parts.join('\n').trimStart();
    parts = [];
    if (joined !== '') yield { text: joined, line: startLine };
  }
  if (isOpen) refuse(fileName, startLine, 'a quoted text is never closed');
}

/** Whether a quoted text is open behind a line, given whether one was before it. */
function endsInQuote(text: string, wasOpen: boolean): boolean {
  let isOpen = wasOpen;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (isOpen && character === '\\') index += 1;
    else if (character === '"') isOpen = !isOpen;
  }
  return isOpen;
}

function readStatement(draft: Draft, text: string, line: number, fileName: string): void {
  if (text.length > DECLARATION_LENGTH_MAX && /^(?:BO_|SG_|SIG_VALTYPE_|SG_MUL_VAL_|CM_\s+"IMPORT) /.test(text))
    return refuse(fileName, line, `the declaration is longer than ${DECLARATION_LENGTH_MAX} characters`);
  if (text.startsWith('BO_ ')) return readMessage(draft, text, line, fileName);
  if (text.startsWith('SG_ ')) return readSignal(draft, text, line, fileName);
  if (text.startsWith('SIG_VALTYPE_ ')) return readValueType(draft, text, line, fileName);
  if (text.startsWith('SG_MUL_VAL_ ')) return readMultiplexRanges(draft, text, line, fileName);
  const imported = IMPORT.exec(text)?.[1];
  if (imported !== undefined) draft.imports.push(imported);
}

function readMessage(draft: Draft, text: string, line: number, fileName: string): void {
  const match = MESSAGE.exec(text);
  if (match === null) return refuse(fileName, line, 'a BO_ line must read: BO_ id name: size node');
  const written = Number(match[1]);
  const id = written >= EXTENDED_FLAG ? written - EXTENDED_FLAG : written;
  // Files without the extended flag are common; an id over 11 bits can only be an extended one.
  const isExtended = written >= EXTENDED_FLAG || id > STANDARD_ID_MAX;
  const sizeBytes = Number(match[3]);
  if (sizeBytes > DBC_MESSAGE_SIZE_BYTES_MAX)
    refuse(fileName, line, `${sizeBytes} bytes are more than ${DBC_MESSAGE_SIZE_BYTES_MAX}`);
  if (draft.messages.has(written)) refuse(fileName, line, `message ${written} is declared twice`);
  draft.current = { id, isExtended, name: match[2] ?? '', sizeBytes, line, signals: [] };
  draft.messages.set(written, draft.current);
}

function readSignal(draft: Draft, text: string, line: number, fileName: string): void {
  if (draft.current === undefined) return refuse(fileName, line, 'a signal stands before the first message');
  const match = SIGNAL.exec(text);
  if (match === null)
    return refuse(
      fileName,
      line,
      'an SG_ line must read: SG_ name : start|length@order+ (factor,offset) [min|max] "unit"',
    );
  const name = match[1] ?? '';
  if (draft.current.signals.some((signal) => signal.name === name))
    refuse(fileName, line, `signal ${name} is declared twice`);
  if (draft.current.signals.length >= SIGNALS_PER_MESSAGE_MAX)
    refuse(fileName, line, `the message has more than ${SIGNALS_PER_MESSAGE_MAX} signals`);
  draft.current.signals.push({
    name,
    line,
    marker: match[2] ?? '',
    startBit: Number(match[3]),
    lengthBits: Number(match[4]),
    byteOrder: match[5] === '0' ? 'big' : 'little',
    valueKind: match[6] === '-' ? 'signed' : 'unsigned',
    factor: Number(match[7]),
    offset: Number(match[8]),
    unit: match[9] ?? '',
    selector: undefined,
  });
}

function readValueType(draft: Draft, text: string, line: number, fileName: string): void {
  const match = VALUE_TYPE.exec(text);
  if (match === null) return refuse(fileName, line, 'a SIG_VALTYPE_ line must read: SIG_VALTYPE_ id signal : kind;');
  const signal = findSignal(draft, match[1] ?? '', match[2] ?? '', { line, fileName });
  const kind = Number(match[3]);
  if (kind === 3) refuse(fileName, line, 'value kind 3 is not defined');
  if (kind === 1) signal.valueKind = 'float32';
  if (kind === 2) signal.valueKind = 'float64';
}

function readMultiplexRanges(draft: Draft, text: string, line: number, fileName: string): void {
  const match = EXTENDED_MULTIPLEX.exec(text);
  if (match === null)
    return refuse(fileName, line, 'a SG_MUL_VAL_ line must read: SG_MUL_VAL_ id signal multiplexor from-to;');
  const signal = findSignal(draft, match[1] ?? '', match[2] ?? '', { line, fileName });
  const ranges = (match[4] ?? '').split(',').map((range): readonly [number, number] => {
    const bounds = /^\s*(\d+)\s*-\s*(\d+)\s*$/.exec(range);
    if (bounds === null) return refuse(fileName, line, `"${range.trim()}" is not a range of multiplexor values`);
    return [Number(bounds[1]), Number(bounds[2])];
  });
  signal.selector = { by: match[3] ?? '', ranges };
}

function findSignal(draft: Draft, id: string, name: string, at: { line: number; fileName: string }): SignalDraft {
  const signal = draft.messages.get(Number(id))?.signals.find((candidate) => candidate.name === name);
  if (signal === undefined)
    return refuse(at.fileName, at.line, `signal ${name} of message ${id} is not declared before`);
  return signal;
}

function isOnABus(message: MessageDraft, problems: DbcProblem[]): boolean {
  if (message.name === INDEPENDENT_SIGNALS_NAME) return false;
  if (message.id <= EXTENDED_ID_MAX) return true;
  problems.push({ line: message.line, what: `message ${message.name} has an id of more than 29 bits` });
  return false;
}

function finishMessage(draft: MessageDraft, problems: DbcProblem[], fileName: string): DbcMessage {
  const multiplexors = draft.signals.filter((signal) => signal.marker.endsWith('M'));
  const selectors = new Set(draft.signals.map((signal) => selectorOf(signal, multiplexors, fileName)?.by));
  const usable = draft.signals.filter((signal) => {
    const what = bitProblem(signal, draft.sizeBytes);
    if (what !== undefined) problems.push({ line: signal.line, what: `signal ${signal.name} ${what}` });
    return what === undefined;
  });
  const signals = usable.map((signal): DbcSignal => {
    const { line, marker: _marker, selector: _selector, ...rest } = signal;
    const selector = selectorOf(signal, multiplexors, fileName);
    if (selector !== undefined && !usable.some((candidate) => candidate.name === selector.by)) {
      refuse(fileName, line, `signal ${signal.name} depends on ${selector.by}, which its message does not have`);
    }
    const multiplex: DbcMultiplex = selector === undefined ? { kind: 'none' } : { kind: 'selected', ...selector };
    return { ...rest, isMultiplexor: selectors.has(signal.name) || signal.marker === 'M', multiplex };
  });
  refuseCircles(draft, signals, fileName);
  const { line: _line, ...message } = draft;
  return { ...message, signals };
}

/** A multiplexor that depends on itself over others could never be decoded. */
function refuseCircles(draft: MessageDraft, signals: readonly DbcSignal[], fileName: string): void {
  const byName = new Map(signals.map((signal) => [signal.name, signal]));
  for (const start of signals) {
    let next: DbcSignal | undefined = start;
    for (let step = 0; next?.multiplex.kind === 'selected'; step += 1) {
      if (step > MULTIPLEXORS_DEPTH_MAX) {
        const line = draft.signals.find((signal) => signal.name === start.name)?.line ?? draft.line;
        refuse(
          fileName,
          line,
          `signal ${start.name} depends on itself, or on more than ${MULTIPLEXORS_DEPTH_MAX} others`,
        );
      }
      next = byName.get(next.multiplex.by);
    }
  }
}

/** The plain marker `m4` depends on the one signal marked `M`; extended ranges name their multiplexor themselves. */
function selectorOf(
  signal: SignalDraft,
  multiplexors: readonly SignalDraft[],
  fileName: string,
): SignalDraft['selector'] {
  if (signal.selector !== undefined || !signal.marker.startsWith('m')) return signal.selector;
  const others = multiplexors.filter((candidate) => candidate !== signal && candidate.marker === 'M');
  const by = others[0];
  if (by === undefined || others.length > 1) {
    return refuse(
      fileName,
      signal.line,
      `signal ${signal.name} is multiplexed, but its message has ${others.length} multiplexors`,
    );
  }
  const value = Number.parseInt(signal.marker.slice(1), 10);
  return { by: by.name, ranges: [[value, value]] };
}

function bitProblem(signal: SignalDraft, sizeBytes: number): string | undefined {
  const { lengthBits, startBit, valueKind } = signal;
  if (lengthBits < 1 || lengthBits > 64) return `has ${lengthBits} bits, not 1 to 64`;
  if (valueKind === 'float32' && lengthBits !== 32) return 'is a float32 without 32 bits';
  if (valueKind === 'float64' && lengthBits !== 64) return 'is a float64 without 64 bits';
  const first = signal.byteOrder === 'little' ? startBit : startBit - (startBit % 8) + 7 - (startBit % 8);
  return first + lengthBits > sizeBytes * 8 ? `reaches over the ${sizeBytes} bytes of its message` : undefined;
}

function refuse(fileName: string, line: number, what: string): never {
  throw new FleetError('DBC_INVALID', `${fileName}, line ${line}: ${what}`, { details: { file: fileName, line } });
}
