/** Why: what a promotion touches: the gate's fact, the proposal's fact, and the bundle that an approval releases. */
import { type Digest, type FactBody, FleetError } from '@fleetloop/schemas';
import type { ApprovalActivities, Proposal } from '@fleetloop/workflows';
import { findRegistered } from '../features/feature-registry.ts';
import { mustBeActive } from '../features/feature-use.ts';
import { buildBundle } from '../package/bundle-builder.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { findModelVersion, runOfModel } from '../training/registered.ts';
import { labelsOf } from '../training/run-trainer.ts';
import { guardActivities, withHeartbeat } from '../workflow/activity-guard.ts';
import { digestKey, recordFacts } from '../workflow/record-facts.ts';

type Context = Pick<ControlPlane, 'ledger' | 'projection' | 'blobs' | 'signer'>;

export function createApprovalActivities(context: Context): ApprovalActivities {
  return guardActivities<ApprovalActivities>({
    async proposePromotion({ promotionId, model: modelName, version, proposer, expiresAt }) {
      const known = (await context.projection.facts('promotion.proposed', { key: promotionId })).at(-1);
      if (known !== undefined) return known.body;
      const registered = await findModelVersion(context.projection, modelName, version);
      const gate = await passedGate(context, modelName, version);
      mustBeActive(await findRegistered(context.projection, registered.featureSet), `${modelName}@${version}`);
      const { dataset, policy, gateId } = gate;
      const proposal: Proposal = {
        promotionId,
        modelName,
        modelVersion: version,
        model: registered.model,
        gate: gateId,
        dataset,
        policy,
        proposer,
        expiresAt,
      };
      await recordFacts(context, [
        {
          kind: 'promotion.proposed',
          key: promotionId,
          actor: proposer,
          evidence: [registered.model, dataset, policy],
          body: { ...proposal },
        },
      ]);
      return proposal;
    },
    buildModelBundle: async ({ proposal, actor }) =>
      withHeartbeat(async () => ({ bundle: await bundleOf(context, proposal, actor) })),
  });
}

/**
 * The newest gate of a model version, which must have passed.
 * @throws FleetError APPROVAL_GATE
 */
export async function passedGate(
  context: Pick<Context, 'projection'>,
  modelName: string,
  version: number,
): Promise<FactBody<'gate.evaluated'>> {
  const newest = (await context.projection.facts('gate.evaluated')).findLast(
    ({ body }) => body.modelName === modelName && body.modelVersion === version,
  )?.body;
  if (newest?.result.verdict === 'passed') return newest;
  const why =
    newest === undefined
      ? 'no gate was evaluated'
      : `gate ${newest.gateId} ${newest.result.verdict}: ${newest.result.decidedBy}`;
  throw new FleetError('APPROVAL_GATE', `${modelName}@${version} cannot be promoted: ${why}`);
}

async function bundleOf(context: Context, proposal: Proposal, actor: string): Promise<string> {
  const run = await runOfModel(context.projection, proposal.model);
  const { featureSet } = await findRegistered(context.projection, run.featureSet);
  const bytes = async (file: string): Promise<Uint8Array> => context.blobs.get(artifactOf(run, file));
  const json = async (file: string): Promise<unknown> => JSON.parse(Buffer.from(await bytes(file)).toString('utf8'));
  const built = await buildBundle(
    {
      modelName: proposal.modelName,
      modelVersion: proposal.modelVersion,
      fp32: await bytes('model.onnx'),
      int8: await bytes('model.int8.onnx'),
      featureSet,
      datasetDigest: run.dataset as Digest,
      labels: await labelsOf(await context.blobs.pathOf(run.featureTable as Digest)),
      trainingStats: await json('training-stats.json'),
      golden: await json('golden.json'),
    },
    context,
  );
  const { bundle, model, featureSetDigest, variants } = built;
  const { modelName, modelVersion, promotionId } = proposal;
  const body = {
    bundle,
    model,
    modelName,
    modelVersion,
    featureSet: featureSetDigest,
    variants: { ...variants },
    promotion: promotionId,
  };
  await recordFacts(context, [{ kind: 'bundle.built', key: digestKey(bundle), actor, evidence: [model], body }]);
  return bundle;
}

function artifactOf(run: FactBody<'run.finished'>, file: string): Digest {
  const digest = run.artifacts[file];
  if (digest === undefined) throw new FleetError('PACKAGE_INVALID', `run ${run.runId} left no ${file}`);
  return digest as Digest;
}
