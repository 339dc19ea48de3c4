/** A small text file that others replace while the agent runs: what a hook of the system, or an enrolment, wrote last. */
import { readFile, stat } from 'node:fs/promises';

/** More than any of these files holds; a larger one is not read. */
const TEXT_BYTES_MAX = 64 * 1_024;

export class WatchedFile {
  readonly #path: string;
  #stamp = '';
  #text: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The text when it may have changed since the last call, otherwise undefined. A file that is not there changes nothing. */
  async changed(): Promise<string | undefined> {
    const stamp = await this.#stampNow();
    if (stamp === undefined || stamp === this.#stamp) return undefined;
    const text = await readFile(this.#path, 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    this.#stamp = stamp;
    if (text === this.#text) return undefined;
    this.#text = text;
    return text;
  }

  async #stampNow(): Promise<string | undefined> {
    try {
      const { mtimeNs, size, ino } = await stat(this.#path, { bigint: true });
      return size > TEXT_BYTES_MAX ? undefined : `${mtimeNs} ${size} ${ino}`;
    } catch {
      return undefined;
    }
  }
}
