// Why this file exists: the way of a bundle from the link onto disk and from disk into memory, each part checked on both ways.
import { type BundleManifest, FleetError, GoldenVectors } from '@fleetloop/schemas';
import type { OpenSession } from '../infer/model-session.ts';
import { RunningModel } from '../infer/running-model.ts';
import type { BlobFetcher } from '../ports.ts';
import { measureVariant } from './measure-variant.ts';
import type { Place, SlotFolders } from './slot-folders.ts';
import { PLACES } from './slot-folders.ts';
import { checkDigest, verifyBundle } from './trusted-documents.ts';
import { chooseVariant, type VariantChoice, type VariantMeasurement } from './variant-choice.ts';

/** Largest envelope of a bundle, bytes. */
export const ENVELOPE_BYTES_MAX = 8 * 1024 * 1024;
/** Largest bundle on a vehicle, bytes over all parts: it is held in memory while it is checked. */
export const BUNDLE_BYTES_MAX = 64 * 1024 * 1024;
const GOLDEN_BYTES_MAX = 32 * 1024 * 1024;
const ENVELOPE_FILE = 'bundle.json';
const GOLDEN_FILE = 'golden.json';

export type InstallerOptions = {
  readonly hardwareRevision: string;
  readonly imageKeysPem: readonly string[];
  readonly folders: SlotFolders;
  readonly fetcher: BlobFetcher;
  readonly openSession: OpenSession;
};

type Part = { readonly name: string; readonly digest: string; readonly sizeBytes: number };

/**
 * Fetches a bundle, verifies it, tries its variants and writes it into `place`. What another place already holds is copied from there.
 * @throws FleetError INSTALL_FETCH, PACKAGE_*, INSTALL_INCOMPATIBLE, INSTALL_GOLDEN, INSTALL_LATENCY, INFER_FAILED
 */
export async function stageBundle(
  options: InstallerOptions,
  place: Place,
  bundle: string,
  signal: AbortSignal,
): Promise<VariantChoice> {
  const { folders } = options;
  const fetch = async (what: string, part: Part): Promise<Uint8Array> => {
    const local = await findLocal(folders, part);
    const bytes = local ?? (await options.fetcher.fetch(part.digest, part.sizeBytes, signal));
    checkDigest(what, bytes, part.digest);
    return bytes;
  };
  const envelope = await fetch('the bundle', { name: ENVELOPE_FILE, digest: bundle, sizeBytes: ENVELOPE_BYTES_MAX });
  const manifest = verifyBundle(envelope, bundle, options.imageKeysPem, options.hardwareRevision);
  const parts = partsOf(manifest);
  const files = new Map<string, Uint8Array>([[ENVELOPE_FILE, envelope]]);
  for (const part of parts) {
    signal.throwIfAborted();
    const bytes = await fetch(`${part.name} of bundle ${bundle}`, part);
    if (bytes.length !== part.sizeBytes) {
      throw new FleetError(
        'PACKAGE_DIGEST',
        `${part.name} of bundle ${bundle} has ${bytes.length} bytes, expected ${part.sizeBytes}`,
      );
    }
    files.set(part.name, bytes);
  }
  const choice = await tryVariants(options, manifest, files, signal);
  await folders.clear(place);
  for (const [name, bytes] of files) await folders.write(place, name, bytes);
  return choice;
}

/**
 * Verifies what lies in `place` and loads one variant of it.
 * @throws FleetError PACKAGE_*, INSTALL_INCOMPATIBLE, INFER_FAILED
 */
export async function loadBundle(
  options: InstallerOptions,
  place: Place,
  wanted: { readonly bundle: string; readonly variant: string },
): Promise<RunningModel> {
  const envelope = await need(options.folders, place, ENVELOPE_FILE);
  const manifest = verifyBundle(envelope, wanted.bundle, options.imageKeysPem, options.hardwareRevision);
  const variant = manifest.variants.find((candidate) => candidate.name === wanted.variant);
  if (variant === undefined)
    throw new FleetError('PACKAGE_INVALID', `bundle ${wanted.bundle} has no variant ${wanted.variant}`);
  const bytes = await need(options.folders, place, variantFile(variant.name));
  checkDigest(`variant ${variant.name} of bundle ${wanted.bundle}`, bytes, variant.digest);
  const session = await options.openSession(bytes, shapeOf(manifest));
  return new RunningModel({ ...wanted, manifest, session });
}

const variantFile = (name: string): string => `${name}.onnx`;
const shapeOf = (manifest: BundleManifest): { features: number; labels: number } => ({
  features: manifest.featureSet.features.length,
  labels: manifest.labels.length,
});

function partsOf(manifest: BundleManifest): Part[] {
  const variants = manifest.variants.map(({ name, digest, sizeBytes }) => ({
    name: variantFile(name),
    digest,
    sizeBytes,
  }));
  const parts = [
    ...variants,
    { name: GOLDEN_FILE, digest: manifest.golden.digest, sizeBytes: manifest.golden.sizeBytes },
  ];
  const total = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (total > BUNDLE_BYTES_MAX || manifest.golden.sizeBytes > GOLDEN_BYTES_MAX) {
    throw new FleetError(
      'INSTALL_INCOMPATIBLE',
      `the bundle has ${total} bytes, more than the ${BUNDLE_BYTES_MAX} of a vehicle`,
    );
  }
  return parts;
}

async function findLocal(folders: SlotFolders, part: Part): Promise<Uint8Array | undefined> {
  for (const place of PLACES) {
    const bytes = await folders.read(place, part.name);
    if (bytes !== undefined && isIntact(bytes, part.digest)) return bytes;
  }
  return undefined;
}

function isIntact(bytes: Uint8Array, digest: string): boolean {
  try {
    checkDigest('a local file', bytes, digest);
    return true;
  } catch {
    // A damaged local copy is only a reason to fetch it.
    return false;
  }
}

async function tryVariants(
  options: InstallerOptions,
  manifest: BundleManifest,
  files: ReadonlyMap<string, Uint8Array>,
  signal: AbortSignal,
): Promise<VariantChoice> {
  const golden = parseGolden(files.get(GOLDEN_FILE) ?? new Uint8Array(), manifest);
  const measurements: VariantMeasurement[] = [];
  for (const variant of manifest.variants) {
    signal.throwIfAborted();
    const bytes = files.get(variantFile(variant.name)) ?? new Uint8Array();
    measurements.push(await tryVariant(options.openSession, bytes, { manifest, variant, golden }));
  }
  return chooseVariant(measurements, manifest.latencyBudgetMs);
}

type Trial = {
  readonly manifest: BundleManifest;
  readonly variant: BundleManifest['variants'][number];
  readonly golden: GoldenVectors;
};

/** A variant that this machine cannot run is dropped like one with wrong outputs: another may do. */
async function tryVariant(
  open: OpenSession,
  bytes: Uint8Array,
  { manifest, variant, golden }: Trial,
): Promise<VariantMeasurement> {
  try {
    const session = await open(bytes, shapeOf(manifest));
    try {
      return await measureVariant(session, golden, variant, manifest.latencyBudgetMs);
    } finally {
      await session.close();
    }
  } catch (thrown) {
    if (FleetError.from(thrown).code !== 'INFER_FAILED') throw thrown;
    const failed = {
      rows: golden.inputs.length,
      worstDifference: Number.POSITIVE_INFINITY,
      agreement: 0,
      isAccepted: false,
    };
    return { name: variant.name, sizeBytes: variant.sizeBytes, golden: failed };
  }
}

function parseGolden(bytes: Uint8Array, manifest: BundleManifest): GoldenVectors {
  const parsed = GoldenVectors.safeParse(jsonOrUndefined(bytes));
  if (!parsed.success) throw new FleetError('PACKAGE_INVALID', 'the golden vectors of the bundle are not valid');
  const { inputs, outputs } = parsed.data;
  const { features, labels } = shapeOf(manifest);
  const isWhole = inputs.length === manifest.golden.rows && outputs.length === inputs.length;
  if (!isWhole || inputs.some((row) => row.length !== features) || outputs.some((row) => row.length !== labels)) {
    throw new FleetError(
      'PACKAGE_INVALID',
      `the golden vectors are not ${manifest.golden.rows} rows of ${features} inputs and ${labels} outputs`,
    );
  }
  return parsed.data;
}

function jsonOrUndefined(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}

async function need(folders: SlotFolders, place: Place, name: string): Promise<Uint8Array> {
  const bytes = await folders.read(place, name);
  if (bytes === undefined)
    throw new FleetError('PACKAGE_DIGEST', `${place} has no file ${name}: install the bundle again`);
  return bytes;
}
