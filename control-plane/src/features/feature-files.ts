/** What the commands about features read: definitions, mappings and instants as people write them. */
import { dirname } from 'node:path';
import { type FeatureSet, FleetError, type JsonValue, parseFeatureSet } from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import { type LoadedMapping, parseMappingText, type SourceFiles } from '@fleetloop/schemas/source';

/** What the commands need of the outside. */
export type FeatureIo = {
  readonly print: (text: string) => void;
  readonly progress: (line: string) => void;
  readonly answerNo: () => void;
  readonly readText: (path: string) => Promise<string>;
  readonly sourceFiles: SourceFiles;
  /** Aborted when the person at the terminal ends the command. */
  readonly interruption: () => AbortSignal;
  /** The day of today, YYYY-MM-DD. */
  readonly today: () => string;
};

/** How a definition is named in what a command prints. */
export type FeatureSetName = { readonly name: string; readonly version: number; readonly digest: string };

/** @throws FleetError FEATURE_SET_INVALID, SOURCE_NOT_FOUND */
export async function readFeatureSet(io: FeatureIo, path: string): Promise<FeatureSet> {
  const text = await io.readText(path);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new FleetError('FEATURE_SET_INVALID', `${path} is not JSON`, { cause });
  }
  return parseFeatureSet(document);
}

export function nameOf(featureSet: FeatureSet): FeatureSetName {
  const { name, version } = featureSet;
  return { name, version, digest: digestOfDocument(featureSet as JsonValue) };
}

/** @throws FleetError MAPPING_INVALID, SOURCE_NOT_FOUND */
export async function readMapping(io: FeatureIo, path: string | undefined): Promise<LoadedMapping | undefined> {
  if (path === undefined) return undefined;
  return { mapping: parseMappingText(await io.readText(path), path), folder: dirname(path) };
}

/** Nanoseconds since the epoch, or an instant with its offset (2018-08-17T00:00:00.5Z). @throws FleetError REQUEST_INVALID */
export function parseInstant(text: string): bigint {
  if (/^-?\d{1,19}$/.test(text)) return BigInt(text);
  const match = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/.exec(text);
  const ms = match === null ? Number.NaN : Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(ms)) {
    throw new FleetError(
      'REQUEST_INVALID',
      `${JSON.stringify(text)} is no instant: write nanoseconds since 1970, or a time with its offset such as 2026-11-21T08:30:00Z`,
    );
  }
  return BigInt(ms) * 1_000_000n + BigInt((match?.[2] ?? '').padEnd(9, '0'));
}
