/** The faults that a verification finds: what, in which record, at which byte; bounded however broken a file is. */

/** Faults that a report names; those beyond are counted. */
export const VERIFY_FAULTS_MAX = 1_000;

export type RecordingFault = {
  /** Stands for one kind of fault, for programs: `chunk-crc`, `statistics`… */
  readonly rule: string;
  readonly byte: number;
  /** The record in which it is: `chunk`, `message index`… */
  readonly record: string;
  readonly message: string;
};

export const RECORD_NAMES: Readonly<Record<number, string>> = {
  0x01: 'header',
  0x02: 'footer',
  0x03: 'schema',
  0x04: 'channel',
  0x05: 'message',
  0x06: 'chunk',
  0x07: 'message index',
  0x08: 'chunk index',
  0x09: 'attachment',
  0x0a: 'attachment index',
  0x0b: 'statistics',
  0x0c: 'metadata',
  0x0d: 'metadata index',
  0x0e: 'summary offset',
  0x0f: 'data end',
};

export class FaultList {
  readonly #faults: RecordingFault[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get list(): readonly RecordingFault[] {
    return this.#faults;
  }

  add(rule: string, place: { readonly opcode: number; readonly byte: number }, message: string): void {
    this.#count += 1;
    if (this.#faults.length >= VERIFY_FAULTS_MAX) return;
    const record = RECORD_NAMES[place.opcode] ?? `record with opcode ${place.opcode}`;
    this.#faults.push({ rule, byte: place.byte, record, message });
  }
}
