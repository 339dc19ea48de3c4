/** Why: what freezing a dataset version touches: the catalogue, the blob store and the ledger. */
import { canonicalJson, type Digest, DatasetVersion, FleetError } from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import { assertNoLeakage, type DatasetActivities, type DatasetPlan, planDatasetVersion } from '@fleetloop/workflows';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { guardActivities, withHeartbeat } from '../workflow/activity-guard.ts';
import { ledgerKey, recordFacts } from '../workflow/record-facts.ts';
import { catalogueRecordings } from './catalogue-recordings.ts';
import { frozenVersions } from './frozen-datasets.ts';

type Context = Pick<ControlPlane, 'ledger' | 'projection' | 'blobs'>;

export function createDatasetActivities(context: Context): DatasetActivities {
  return guardActivities<DatasetActivities>({
    planDataset: async ({ specification, at }) =>
      withHeartbeat(async () => {
        const digest = await storeDocument(context, specification);
        const recordings = await catalogueRecordings(context.projection);
        const version = planDatasetVersion(specification, digest, { recordings, at: new Date(at) });
        assertNoLeakage(version);
        return { digest: await storeDocument(context, version), ...countsOf(version) };
      }),
    async freezeDatasetVersion({ digest, actor }) {
      const document = DatasetVersion.parse(
        JSON.parse(Buffer.from(await context.blobs.get(digest as Digest)).toString('utf8')),
      );
      const { dataset, version } = document;
      const former = (await frozenVersions(context.projection)).find(
        (entry) => entry.dataset === dataset && entry.version === version,
      );
      if (former !== undefined && former.digest !== digest) {
        throw new FleetError(
          'DATASET_EXISTS',
          `dataset ${dataset}/${version} is frozen as ${former.digest}, the catalogue now gives ${digest}: choose another version name`,
        );
      }
      const body = { digest, dataset, version, document };
      const key = ledgerKey(`${dataset}-${version}`);
      const created = await recordFacts(context, [
        { kind: 'dataset.frozen', key, actor, evidence: [document.specification], body },
      ]);
      return { digest, dataset, version, created, ...countsOf(document) };
    },
  });
}

/** Stores a document as its canonical JSON, so that its blob and its document digest are the same. */
async function storeDocument(context: Context, document: Parameters<typeof canonicalJson>[0]): Promise<Digest> {
  const digest = await context.blobs.put(Buffer.from(canonicalJson(document), 'utf8'));
  if (digest !== digestOfDocument(document))
    throw new FleetError('BLOB_DIGEST', `the blob store filed a document under ${digest}`);
  return digest;
}

function countsOf(version: DatasetVersion): Omit<DatasetPlan, 'digest'> {
  const train = version.recordings.filter((entry) => entry.split === 'train').length;
  return { train, test: version.recordings.length - train, excluded: version.exclusions.length };
}
