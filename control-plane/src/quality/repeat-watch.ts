/**
 * Why: a source that is read twice gives messages twice: with the stamp and the content of the one before. Different messages may share
 * a stamp (frames of a bus), so content decides. Nothing is kept of a topic until two of its stamps are equal.
 */
import type { SourceMessage } from '@fleetloop/schemas';

/** Bytes of a message that are compared: its first and its last ones. */
const END_BYTES = 128;

export class RepeatWatch {
  /** Messages that were the one before once more. The first of all is not known. */
  copies = 0;
  firstNs = Number.NaN;
  lastNs = Number.NaN;
  #isArmed = false;
  #lengthBytes = -1;
  #held = new Uint8Array(0);
  #sequence = -1;

  /** @param isSameTime whether the topic's message before had this log time. Hot path. */
  push(message: SourceMessage, nowNs: number, isSameTime: boolean): void {
    if (!this.#isArmed) {
      // Numbers are told apart without content; where the writer does not count they never repeat.
      if (isSameTime && message.sequence === this.#sequence) this.#count(nowNs);
      this.#sequence = message.sequence;
      if (!isSameTime) return;
      this.#isArmed = true;
      this.#hold(bytesOf(message));
      return;
    }
    const bytes = bytesOf(message);
    if (isSameTime && this.#isHeld(bytes)) this.#count(nowNs);
    else this.#hold(bytes);
  }

  #count(nowNs: number): void {
    this.copies += 1;
    if (this.copies === 1) this.firstNs = nowNs;
    this.lastNs = nowNs;
  }

  #hold(bytes: Uint8Array): void {
    this.#lengthBytes = bytes.length;
    if (this.#held.length === 0) this.#held = new Uint8Array(2 * END_BYTES);
    // One by one: most are a few bytes, for which a view of them costs more.
    const first = Math.min(bytes.length, END_BYTES);
    for (let index = 0; index < first; index += 1) this.#held[index] = bytes[index] as number;
    const from = Math.max(END_BYTES, bytes.length - END_BYTES);
    for (let index = from; index < bytes.length; index += 1)
      this.#held[END_BYTES + index - from] = bytes[index] as number;
  }

  #isHeld(bytes: Uint8Array): boolean {
    if (bytes.length !== this.#lengthBytes) return false;
    const first = Math.min(bytes.length, END_BYTES);
    for (let index = 0; index < first; index += 1) if (bytes[index] !== this.#held[index]) return false;
    const from = Math.max(END_BYTES, bytes.length - END_BYTES);
    for (let index = from; index < bytes.length; index += 1)
      if (bytes[index] !== this.#held[END_BYTES + index - from]) return false;
    return true;
  }
}

function bytesOf(message: SourceMessage): Uint8Array {
  if (message.kind === 'opaque') return message.data;
  const { buffer, byteOffset, byteLength } = message.values;
  return new Uint8Array(buffer, byteOffset, byteLength);
}
