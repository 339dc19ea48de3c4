/** What a relay has promised and must still report, a file each, so that a crash forgets neither. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, FleetError, isDigest, parseVehicleId } from '@fleetloop/schemas';
import { hexOf } from '../ingest/facts.ts';
import { decodeManifest, type ReceivedManifest } from '../ingest/manifest.ts';
import type { HeldFiles, PendingReport } from '../relay/ports.ts';
import { ACTIVE_SUFFIX, makeFolderDurably, writeFileDurably } from './durable-file.ts';

const MANIFEST_SUFFIX = '.manifest';
const REPORT_SUFFIX = '.report';

export type HeldContents = {
  readonly manifests: readonly ReceivedManifest[];
  readonly reports: readonly (PendingReport & { readonly refused: Digest })[];
};

export class FolderHeld implements HeldFiles {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  static async open(root: string): Promise<FolderHeld> {
    await makeFolderDurably(root);
    for (const name of await readdir(root)) {
      if (name.endsWith(ACTIVE_SUFFIX)) await rm(join(root, name), { force: true });
    }
    return new FolderHeld(root);
  }

  /** All that was kept and not dropped. @throws FleetError INGEST_MANIFEST_MALFORMED for a file that is not ours */
  async contents(recordingBytesMax: number): Promise<HeldContents> {
    const names = (await readdir(this.#root)).sort();
    const manifests: ReceivedManifest[] = [];
    const reports: (PendingReport & { refused: Digest })[] = [];
    for (const name of names) {
      const bytes = await readFile(join(this.#root, name));
      if (name.endsWith(MANIFEST_SUFFIX)) manifests.push(decodeManifest(bytes, recordingBytesMax));
      const report = parseReportName(name);
      if (report !== undefined) reports.push({ ...report, bytes });
    }
    return { manifests, reports };
  }

  async keepManifest(manifest: ReceivedManifest): Promise<void> {
    await writeFileDurably(this.#manifestPath(manifest.digest), manifest.bytes);
  }

  async dropManifest(digest: Digest): Promise<void> {
    await rm(this.#manifestPath(digest), { force: true });
  }

  async keepReport(refused: Digest, { vehicleId, bytes }: PendingReport): Promise<void> {
    await writeFileDurably(join(this.#root, `${hexOf(refused)}.${vehicleId}${REPORT_SUFFIX}`), bytes);
  }

  async dropReport(refused: Digest): Promise<void> {
    for (const name of await readdir(this.#root)) {
      if (name.startsWith(`${hexOf(refused)}.`) && name.endsWith(REPORT_SUFFIX))
        await rm(join(this.#root, name), { force: true });
    }
  }

  #manifestPath(digest: Digest): string {
    return join(this.#root, `${hexOf(digest)}${MANIFEST_SUFFIX}`);
  }
}

/** `<hex>.<vehicle>.report`; vehicle ids hold no dot. */
function parseReportName(name: string): { readonly refused: Digest; readonly vehicleId: string } | undefined {
  if (!name.endsWith(REPORT_SUFFIX)) return undefined;
  const [hex = '', vehicleId = ''] = name.split('.');
  const refused = `sha256:${hex}`;
  if (!isDigest(refused)) throw new FleetError('SPOOL_CORRUPT', `${name} is not a report of this relay`);
  return { refused, vehicleId: parseVehicleId(vehicleId) };
}
