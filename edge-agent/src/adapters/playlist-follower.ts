/** Follows a playlist that the world appends to: JSON lines, each one drive. The cursor counts finished lines and survives a crash. */
import { open, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { z } from 'zod';
import type { AgentClock, Drive, DriveSource } from '../ports.ts';
import type { DurableFiles } from '../spool/durable-files.ts';
import { openDrives } from './drive-sources.ts';

export const POLL_INTERVAL_MS = 100;
/** Longest line and most bytes read at a time. */
export const LINE_BYTES_MAX = 256 * 1024;
const FILES_PER_LINE_MAX = 256;
const CURSOR_NAME = 'playlist-cursor.json';

const Line = z.union([
  z.strictObject({ end: z.literal(true) }),
  z.strictObject({
    mapping: z.string().min(1),
    files: z.array(z.string().min(1)).min(1).max(FILES_PER_LINE_MAX),
    session: z.string().min(1).max(256).optional(),
    startAt: z.iso.datetime({ offset: true }).optional(),
    speed: z.number().min(0).max(100_000),
    attributes: z.record(z.string(), z.string()).optional(),
  }),
]);
const Cursor = z.strictObject({ linesDone: z.int().min(0) });

export type PlaylistFollowerOptions = {
  readonly path: string;
  readonly files: Pick<DurableFiles, 'readText' | 'writeText'>;
  readonly clock: AgentClock;
};

export class PlaylistFollower implements DriveSource {
  readonly #options: PlaylistFollowerOptions;
  #linesDone: number;
  #isAtEnd = false;
  /** Byte behind the lines that were read, and lines read but not finished. */
  #offset = 0;
  #rest = Buffer.alloc(0);
  readonly #lines: string[] = [];
  #skip: number;
  #drives: AsyncGenerator<Drive> | undefined;

  private constructor(options: PlaylistFollowerOptions, linesDone: number) {
    this.#options = options;
    this.#linesDone = linesDone;
    this.#skip = linesDone;
  }

  /** @throws FleetError CONFIG_INVALID when the stored cursor is damaged */
  static async open(options: PlaylistFollowerOptions): Promise<PlaylistFollower> {
    const text = await options.files.readText(CURSOR_NAME);
    return new PlaylistFollower(options, text === undefined ? 0 : parseCursor(text));
  }

  get finishedCount(): number {
    return this.#linesDone;
  }

  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  async next(signal: AbortSignal): Promise<Drive | undefined> {
    while (!signal.aborted && !this.#isAtEnd) {
      this.#drives ??= await this.#openLine(signal);
      const next = this.#drives === undefined ? undefined : await this.#drives.next();
      if (next?.done === false) return next.value;
      if (next?.done === true) await this.#finishLine();
    }
    return undefined;
  }

  /** A drive that failed ends its line; a drive that went well lets the next session of the line come. */
  async finished(): Promise<void> {
    if (this.#drives === undefined) await this.#finishLine();
    else {
      const rest = this.#drives;
      try {
        const next = await rest.next();
        if (next.done === true) await this.#finishLine();
        else this.#drives = resumeWith(() => next.value, rest);
      } catch (error) {
        this.#drives = resumeWith(() => Promise.reject(FleetError.from(error)), rest);
      }
    }
  }

  async #finishLine(): Promise<void> {
    this.#lines.shift();
    this.#drives = undefined;
    this.#linesDone += 1;
    await this.#options.files.writeText(CURSOR_NAME, JSON.stringify({ linesDone: this.#linesDone }));
  }

  /** The drives of the next line; undefined when the playlist has ended or the wait was stopped. */
  async #openLine(signal: AbortSignal): Promise<AsyncGenerator<Drive> | undefined> {
    while (this.#lines.length === 0) {
      if (signal.aborted) return undefined;
      if (!(await this.#readMore())) await this.#options.clock.wait(POLL_INTERVAL_MS, signal);
    }
    const line = parseLine(this.#lines[0] ?? '', this.#linesDone + 1, this.#options.path);
    if ('end' in line) {
      this.#isAtEnd = true;
      return undefined;
    }
    const folder = dirname(this.#options.path);
    const { mapping, files, ...rest } = line;
    return openDrives(
      { ...rest, mappingPath: resolve(folder, mapping), files: files.map((file) => resolve(folder, file)) },
      signal,
    );
  }

  /** Reads what was appended; false when there is no whole new line. */
  async #readMore(): Promise<boolean> {
    const { path } = this.#options;
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    if (size <= this.#offset) return false;
    await using file = await open(path, 'r');
    const buffer = Buffer.alloc(Math.min(LINE_BYTES_MAX, size - this.#offset));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#offset);
    this.#offset += bytesRead;
    const pieces = Buffer.concat([this.#rest, buffer.subarray(0, bytesRead)]);
    const end = pieces.lastIndexOf('\n');
    if (end === -1 && pieces.length > LINE_BYTES_MAX)
      throw new FleetError('SOURCE_LIMIT', `a line of the playlist ${path} is longer than ${LINE_BYTES_MAX} bytes`);
    this.#rest = Buffer.from(pieces.subarray(end + 1));
    const lines = pieces
      .subarray(0, end + 1)
      .toString('utf8')
      .split('\n')
      .filter((line) => line.trim() !== '');
    const fresh = lines.slice(this.#skip);
    this.#skip -= lines.length - fresh.length;
    this.#lines.push(...fresh);
    return fresh.length > 0;
  }
}

/** Puts back what was looked at ahead. */
async function* resumeWith(first: () => Drive | Promise<never>, rest: AsyncGenerator<Drive>): AsyncGenerator<Drive> {
  yield await first();
  yield* rest;
}

function parseCursor(text: string): number {
  try {
    return Cursor.parse(JSON.parse(text)).linesDone;
  } catch (cause) {
    throw new FleetError(
      'CONFIG_INVALID',
      `the playlist cursor ${CURSOR_NAME} is damaged: remove it to replay the playlist from its start`,
      { cause },
    );
  }
}

function parseLine(text: string, number: number, path: string): z.infer<typeof Line> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FleetError('CONFIG_INVALID', `line ${number} of the playlist ${path} is not JSON`, { cause });
  }
  const parsed = Line.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new FleetError(
    'CONFIG_INVALID',
    `line ${number} of the playlist ${path} is not a drive: ${z.prettifyError(parsed.error)}`,
  );
}
