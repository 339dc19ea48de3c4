/** Takes whole recordings of test drives through the same checks and commits as uploads, from a stream that may have been cut before. */
import { type Digest, FleetError } from '@fleetloop/schemas';
import type { Assembled } from '../ingest/assemble.ts';
import { KeyedTurns } from '../ingest/keyed-turns.ts';
import type {
  Assemblies,
  ImportOutcome,
  ImportRequest,
  Ingest,
  PartialUploads,
  ReleaseRequest,
  StreamAssembler,
} from '../ingest/ports.ts';
import { countFindings } from '../ingest/finding-counts.ts';
import type { RecordingFiler } from '../ingest/recording-filer.ts';
import { isRefusal, refusalReason, type Refusals } from '../ingest/refusal.ts';

export type RecordingImportParts = {
  readonly assemblies: Assemblies;
  readonly uploads: PartialUploads;
  readonly assembler: StreamAssembler;
  readonly filer: RecordingFiler;
  readonly refusals: Refusals;
  readonly recordingBytesMax: number;
};

type Upload = NonNullable<ImportRequest['upload']>;

export class RecordingImport implements Ingest {
  readonly #parts: RecordingImportParts;
  /** Two attempts at one upload must not write the same file. */
  readonly #uploads = new KeyedTurns();

  constructor(parts: RecordingImportParts) {
    this.#parts = parts;
  }

  async import(request: ImportRequest): Promise<ImportOutcome> {
    const { upload } = request;
    if (upload === undefined) return this.#importWhole(request);
    return this.#uploads.run(upload.recording, async () => this.#importUpload(request, upload));
  }

  async release({ key, actor, importKey, label, ...release }: ReleaseRequest): Promise<ImportOutcome> {
    const bytes = await this.#parts.refusals.open(key);
    if (bytes === undefined)
      throw new FleetError(
        'NOT_FOUND',
        `the bytes of ${release.recording} were not kept in quarantine: mend the standard and send it again`,
      );
    const told = { ...(importKey === undefined ? {} : { importKey }), ...(label === undefined ? {} : { label }) };
    return this.#importWhole({ bytes, actor, release, ...told });
  }

  async receivedBytes(recording: Digest): Promise<number> {
    return this.#parts.uploads.receivedBytes(recording);
  }

  async #importWhole(request: ImportRequest): Promise<ImportOutcome> {
    const assembly = this.#parts.assemblies.begin();
    try {
      const assembled = await this.#assemble(request.bytes, { path: assembly.path, keptBytes: 0 });
      return await this.#settle(request, assembled, assembly.path);
    } finally {
      await assembly.discard();
    }
  }

  /** What arrived stays when the sender or this process goes away; it is removed when it was filed, refused or is of other bytes. */
  async #importUpload(request: ImportRequest, { recording, fromByte }: Upload): Promise<ImportOutcome> {
    const { uploads } = this.#parts;
    const receivedBytes = await uploads.receivedBytes(recording);
    if (fromByte > receivedBytes)
      throw new FleetError(
        'INGEST_UPLOAD_OFFSET',
        `byte ${fromByte} of ${recording} was sent, but only ${receivedBytes} bytes have arrived: go on there`,
        { details: { receivedBytes } },
      );
    const path = await uploads.open(recording);
    const assembled = await this.#assemble(request.bytes, { path, keptBytes: fromByte });
    try {
      if (assembled.digest !== recording)
        throw new FleetError(
          'INGEST_RECORDING_DIGEST',
          `the upload of ${recording} has the digest ${assembled.digest}: send it again from its first byte`,
        );
      const outcome = await this.#settle(request, assembled, path);
      await uploads.remove(recording);
      return outcome;
    } catch (error) {
      if (isRefusal(error)) await uploads.remove(recording);
      throw error;
    }
  }

  async #assemble(
    bytes: AsyncIterable<Uint8Array>,
    file: { readonly path: string; readonly keptBytes: number },
  ): Promise<Assembled> {
    const { assembler, recordingBytesMax } = this.#parts;
    return assembler.assembleStream(limited(bytes, recordingBytesMax - file.keptBytes), file);
  }

  async #settle(request: ImportRequest, assembled: Assembled, path: string): Promise<ImportOutcome> {
    const { check, digest, sizeBytes } = assembled;
    const { actor, label, importKey, release } = request;
    try {
      if (release !== undefined && release.recording !== digest)
        throw new FleetError('BLOB_DIGEST', `quarantine keeps ${digest} where ${release.recording} was put`);
      if (check.kind === 'bad') throw check.error;
      const { summary } = check;
      const filed = await this.#parts.filer.file({
        path,
        digest,
        sizeBytes,
        summary,
        source: release?.source ?? 'import',
        actor,
        label,
        importKey,
        release,
      });
      const { isNew, lastSequence, report } = filed;
      const session = summary.metadata.session.name;
      const findings = report === undefined || !isNew ? {} : { findings: countFindings(report) };
      return {
        recording: digest,
        sequence: lastSequence,
        isNew,
        session,
        messages: summary.messages,
        sizeBytes,
        ...findings,
      };
    } catch (error) {
      if (isRefusal(error)) await this.#refuse(request, assembled, { error, file: path });
      throw error;
    }
  }

  async #refuse(
    { actor, importKey, label }: ImportRequest,
    { digest: recording, check }: Assembled,
    { error, file }: { readonly error: FleetError; readonly file: string },
  ): Promise<void> {
    const vehicleId = check.kind === 'good' ? check.summary.metadata.vehicle.id : '';
    const reason = {
      ...refusalReason({ recording, vehicleId, eventId: '' }, error, 'import'),
      ...(importKey === undefined ? {} : { importKey }),
      ...(label === undefined ? {} : { label }),
    };
    await this.#parts.refusals.record({ refused: recording, reason, evidence: { file }, actor });
  }
}

async function* limited(bytes: AsyncIterable<Uint8Array>, sizeBytesMax: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const part of bytes) {
    size += part.length;
    if (size > sizeBytesMax)
      throw new FleetError(
        'INGEST_LIMIT',
        `the recording is longer than the ${sizeBytesMax} bytes that may still come`,
      );
    yield part;
  }
}
