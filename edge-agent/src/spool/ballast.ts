/**
 * Room that is held for the worst moment: on a disk that is truly full not even the line could be written that says why a recording
 * must go, and then nothing could go. The ballast goes first, and comes back when there is room again.
 */
import { FleetError } from '@fleetloop/schemas';
import type { AgentLogger } from '../ports.ts';
import type { DurableFiles } from './durable-files.ts';

/** Some dozen lines of the index, over several blocks of any file system. */
export const BALLAST_BYTES = 32 * 1024;
/** Free bytes from which it is written: it must not be what fills the disk. */
const FREE_BYTES_MIN = 4 * BALLAST_BYTES;
const NAME = 'ballast';

export class Ballast {
  readonly #files: DurableFiles;
  readonly #logger: AgentLogger;
  /** Undefined until somebody has looked. */
  #isThere: boolean | undefined;

  constructor(files: DurableFiles, logger: AgentLogger) {
    this.#files = files;
    this.#logger = logger;
  }

  /** Gives its room back; false when there was nothing to give. @throws FleetError RECORD_WRITE */
  async drop(): Promise<boolean> {
    if (!(await this.#look())) return false;
    await this.#files.remove(NAME);
    this.#isThere = false;
    this.#logger.warn({ sizeBytes: BALLAST_BYTES }, 'spool.ballast.dropped');
    return true;
  }

  /** Takes the room again when there is some. A disk that does not give it now is asked another time. */
  async refill(freeBytes: number): Promise<void> {
    if (freeBytes < FREE_BYTES_MIN || (await this.#look())) return;
    try {
      await this.#files.writeFile(NAME, async (sink) => sink.write(incompressible(BALLAST_BYTES)));
      this.#isThere = true;
    } catch (error) {
      this.#logger.debug({ reason: FleetError.from(error).message }, 'spool.ballast.unwritten');
    }
  }

  async #look(): Promise<boolean> {
    this.#isThere ??= (await this.#files.sizeOf(NAME)) === BALLAST_BYTES;
    return this.#isThere;
  }
}

/** A file system that compresses must give it all the room that it has the size of. */
function incompressible(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = 1;
  for (let index = 0; index < sizeBytes; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
