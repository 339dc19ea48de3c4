// Why this file exists: the one place that knows where the committed recordings lie, so that tests, demo and benchmarks find
// them whatever the current folder is.
import { fileURLToPath } from 'node:url';

/** `sim/recordings`, absolute. */
export const RECORDINGS_FOLDER = fileURLToPath(new URL('../../recordings', import.meta.url));
/** Digests of the unpacked content of every committed recording file. */
export const CHECKSUM_FILE = fileURLToPath(new URL('../../recordings/SHA256SUMS', import.meta.url));
