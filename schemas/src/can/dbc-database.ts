/** What a DBC file says about a CAN bus, reduced to what decoding needs; comments, attributes and value tables are left out. */

export type DbcByteOrder = 'big' | 'little';
export type DbcValueKind = 'unsigned' | 'signed' | 'float32' | 'float64';

/** Whether a signal is always present or only while a multiplexor holds certain raw values. */
export type DbcMultiplex =
  | { readonly kind: 'none' }
  | { readonly kind: 'selected'; readonly by: string; readonly ranges: readonly (readonly [number, number])[] };

export type DbcSignal = {
  readonly name: string;
  /** Bit number as written: the least significant bit for little endian, the most significant one for big endian. */
  readonly startBit: number;
  readonly lengthBits: number;
  readonly byteOrder: DbcByteOrder;
  readonly valueKind: DbcValueKind;
  /** physical = raw × factor + offset. */
  readonly factor: number;
  readonly offset: number;
  /** As written in the file, which may be empty or not a unit at all. */
  readonly unit: string;
  /** True when other signals of the message depend on this one. */
  readonly isMultiplexor: boolean;
  readonly multiplex: DbcMultiplex;
};

export type DbcMessage = {
  /** 11 or 29 bits, without the extended flag. */
  readonly id: number;
  readonly isExtended: boolean;
  readonly name: string;
  readonly sizeBytes: number;
  readonly signals: readonly DbcSignal[];
};

export type DbcDatabase = {
  readonly messages: readonly DbcMessage[];
  /** Files named by `CM_ "IMPORT file.dbc";`, the way the opendbc project splits its files. */
  readonly imports: readonly string[];
  /** Declarations that parse but cannot be used, and are left out; public files contain some. */
  readonly problems: readonly DbcProblem[];
};

export type DbcProblem = { readonly line: number; readonly what: string };

/** Most bytes a message may declare: J1939 transport, the longest that DBC files describe. */
export const DBC_MESSAGE_SIZE_BYTES_MAX = 1785;

/** The message of an id, or undefined when no file knows it. Later databases do not override earlier ones. */
export function indexDbcMessages(databases: readonly DbcDatabase[]): ReadonlyMap<number, DbcMessage> {
  const byId = new Map<number, DbcMessage>();
  for (const database of databases) {
    for (const message of database.messages) {
      const key = canIdKey(message.id, message.isExtended);
      if (!byId.has(key)) byId.set(key, message);
    }
  }
  return byId;
}

/** One number for an id of either width, so that 0x123 standard and 0x123 extended stay apart. */
export function canIdKey(id: number, isExtended: boolean): number {
  return isExtended ? id + 2 ** 31 : id;
}
