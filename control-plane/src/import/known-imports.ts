/** What the catalogue knows of former imports, by the key of what went into them. */
import { type Digest, parseDigest } from '@fleetloop/schemas';
import type { Projection } from '../ports.ts';
import type { KnownRecording } from './import-run.ts';

/** A recording of ours that went in as it is has its own digest for a key, whichever way it came. */
export async function findImport(projection: Projection, key: Digest): Promise<KnownRecording | undefined> {
  const [row] = await projection.query(
    `SELECT r.sequence, r.recording, r.session, r.messages, r.size_bytes, l.label
     FROM recordings r LEFT JOIN current_labels l ON l.recording = r.recording
     WHERE r.import_key = $key OR r.recording = $key ORDER BY r.sequence LIMIT 1`,
    { key },
  );
  if (row === undefined) return undefined;
  return {
    recording: parseDigest(String(row['recording'])),
    sequence: Number(row['sequence']),
    session: String(row['session']),
    messages: Number(row['messages']),
    sizeBytes: Number(row['size_bytes']),
    label: typeof row['label'] === 'string' ? row['label'] : null,
  };
}
