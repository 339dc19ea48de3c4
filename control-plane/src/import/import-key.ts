/** Names an import by what goes into it, so that the same files under the same specification are never decoded twice. */
import { basename } from 'node:path';
import { canonicalJson, type Digest, type JsonValue } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import type { PlannedRun } from './import-plan.ts';

/** Changes when equal input would give other bytes than before. */
const CONVERSION_VERSION = 1;

/** What the key rests on: the content of everything that is read, and what is said of the run. Not where it lies. */
export type ImportInput = {
  readonly run: PlannedRun;
  /** Digests of the source's files by path, and of the mapping's own files. */
  readonly files: readonly { readonly path: string; readonly digest: Digest }[];
  /** The mapping as it was read. */
  readonly mapping: unknown;
};

/** The label is no part of it: it is a fact about the recording, not in it. */
export function importKey({ run, files, mapping }: ImportInput): Digest {
  const { session, vehicleId, hardwareRevision, softwareVersion, attributes, circumstances } = run;
  const document = {
    conversion: CONVERSION_VERSION,
    // Names count: they name sessions. Folders do too, where a mapping says so.
    files: files.map(({ path, digest }) => ({ name: basename(path), digest })),
    source: run.source.split('/').slice(-2),
    mapping: mapping ?? null,
    said: { session, vehicleId, hardwareRevision, softwareVersion, attributes, circumstances },
  };
  return digestOfBytes(new TextEncoder().encode(canonicalJson(JSON.parse(JSON.stringify(document)) as JsonValue)));
}
