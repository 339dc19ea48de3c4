/** Takes whole recordings of test drives through the same checks as uploads, with their label in the same ledger batch. */
import type { Digest } from '@fleetloop/schemas';
import { FleetError } from '@fleetloop/schemas';
import type { AcceptedRecordings } from '../ingest/accepted-recordings.ts';
import { type Assembled, assembleRecording } from '../ingest/assemble.ts';
import { acceptedFact, appendOnce, hexOf, labelFact, lastEntryOf } from '../ingest/facts.ts';
import type { Assemblies, ImportOutcome, ImportRequest, Ingest } from '../ingest/ports.ts';
import { isRefusal, type Refusals } from '../ingest/refusal.ts';
import type { BlobStore, Ledger } from '../ports.ts';

export type RecordingImportParts = {
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
  readonly assemblies: Assemblies;
  readonly refusals: Refusals;
  readonly accepted: AcceptedRecordings;
  readonly recordingBytesMax: number;
};

export class RecordingImport implements Ingest {
  readonly #parts: RecordingImportParts;

  constructor(parts: RecordingImportParts) {
    this.#parts = parts;
  }

  async import(request: ImportRequest): Promise<ImportOutcome> {
    const { assemblies, recordingBytesMax } = this.#parts;
    const assembly = await assemblies.open();
    try {
      const assembled = await assembleRecording(limited(request.bytes, recordingBytesMax), assembly);
      const { check, digest } = assembled;
      if (check.kind === 'bad') {
        await this.#refuse(assembled, check.error, { file: assembly.path, actor: request.actor });
        throw check.error;
      }
      await this.#parts.blobs.adopt(assembly.path, digest, { isChecked: true });
      return await this.#accept(request, { ...assembled, summary: check.summary });
    } finally {
      await assembly.discard();
    }
  }

  async #accept(
    request: ImportRequest,
    recording: Assembled & { readonly summary: Parameters<typeof acceptedFact>[0]['summary'] },
  ): Promise<ImportOutcome> {
    const { ledger, accepted } = this.#parts;
    const { digest, sizeBytes, summary } = recording;
    const known = accepted.find(digest);
    if (known !== undefined) return this.#labelKnown(request, digest, known.sequence);
    const fact = acceptedFact({ digest, sizeBytes, summary, source: 'import', manifest: null, actor: request.actor });
    const labels = request.label === undefined ? [] : [labelFact(digest, request.label, request.actor)];
    const { sequence, lastSequence, isNew } = await appendOnce(ledger, [fact, ...labels]);
    accepted.add(fact.body, sequence);
    if (!isNew) return this.#labelKnown(request, digest, sequence);
    return { recording: digest, sequence: lastSequence, isNew };
  }

  /** A recording counts once; its label is a fact of its own and may still be new. */
  async #labelKnown(request: ImportRequest, recording: Digest, sequence: number): Promise<ImportOutcome> {
    if (request.label === undefined) return { recording, sequence, isNew: false };
    const former = await lastEntryOf(this.#parts.ledger, `label.${hexOf(recording)}`);
    if (former?.entry.kind === 'label.assigned' && former.entry.body.label === request.label.label) {
      return { recording, sequence: former.sequence, isNew: false };
    }
    const { sequences } = await this.#parts.ledger.append([labelFact(recording, request.label, request.actor)]);
    return { recording, sequence: sequences[0] ?? sequence, isNew: false };
  }

  async #refuse(
    assembled: Assembled,
    error: FleetError,
    origin: { readonly file: string; readonly actor: string },
  ): Promise<void> {
    if (!isRefusal(error)) return;
    const { digest: recording } = assembled;
    const reason = {
      recording,
      vehicleId: '',
      eventId: '',
      code: error.code,
      message: error.message,
      source: 'import',
    } as const;
    await this.#parts.refusals.record({
      refused: recording,
      reason,
      evidence: { file: origin.file },
      actor: origin.actor,
    });
  }
}

async function* limited(bytes: AsyncIterable<Uint8Array>, sizeBytesMax: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const part of bytes) {
    size += part.length;
    if (size > sizeBytesMax) throw new FleetError('INGEST_LIMIT', `the recording has more than ${sizeBytesMax} bytes`);
    yield part;
  }
}
