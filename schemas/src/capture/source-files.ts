/** What reading a source needs from the outside, so that decoding itself touches no disk. */

/** Reads the files of sources; compressed files come out unpacked. */
export type SourceFiles = {
  /** The bytes of a file in pieces. Throws FleetError `SOURCE_NOT_FOUND` or, for a broken compressed file, `SOURCE_FORMAT`. */
  readonly read: (path: string, signal?: AbortSignal) => AsyncIterable<Uint8Array>;
  /** The first of the candidates that exists as a file, or undefined. */
  readonly findFirst: (candidates: readonly string[]) => Promise<string | undefined>;
  /** Size of a file as it lies there, or undefined when it cannot be read at random (it is compressed, or is no file). */
  readonly sizeOf: (path: string) => Promise<number | undefined>;
  /** Bytes from `offset`, fewer only at the end of the file. Throws FleetError `SOURCE_NOT_FOUND`. */
  readonly readRange: (path: string, offset: number, length: number) => Promise<Uint8Array>;
};
