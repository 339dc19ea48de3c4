/** Names the session of an MCAP file by what its metadata records say. */
import type { McapMetadataRecord } from '../record/recording-metadata.ts';
import { type SessionName, stemOf } from './source-name.ts';

/** Most attributes that metadata becomes, and their longest text; both bound what goes into each recording. */
const ATTRIBUTES_MAX = 64;
const ATTRIBUTE_LENGTH_MAX = 1_024;
/** Records of our own and of Foxglove's tools that describe a recording, not its drive. */
const OWN_RECORDS = /^(?:fleet\.|foxglove$)/;

/** Our own recordings name their session; of any other file, metadata becomes attributes `record.key` and the file's name the session. */
export function nameMcapSession(metadata: readonly McapMetadataRecord[], fileName: string): SessionName {
  const own = metadata.find((record) => record.name === 'fleet.session')?.metadata;
  const attributes = metadata
    .filter((record) => !OWN_RECORDS.test(record.name))
    .flatMap((record) =>
      [...record.metadata].map(([key, value]): [string, string] => [`${record.name}.${key}`, value]),
    );
  const declared = Object.entries(parseAttributes(own?.get('attributes')));
  const usable = [...declared, ...attributes].filter(
    ([key, value]) => key.length + value.length <= ATTRIBUTE_LENGTH_MAX,
  );
  return {
    session: own?.get('name') || stemOf(fileName),
    attributes: Object.fromEntries(usable.slice(0, ATTRIBUTES_MAX)),
  };
}

function parseAttributes(text: string | undefined): Record<string, string> {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    if (value === null || typeof value !== 'object') return {};
    return Object.fromEntries(Object.entries(value).filter(([, entry]) => typeof entry === 'string'));
  } catch {
    return {};
  }
}
