/** The two feature engines on the imported recordings: streaming as on the vehicle, SQL as in batch, value by value. */
import { compareEngines, computeFromMessages, joinParity, type ParityReport } from '@fleetloop/control-plane';
import { type FeatureSet, FleetError, parseFeatureSet, type SourceMessage } from '@fleetloop/schemas';
import { createStreamingEvaluator, type FeatureVector } from '@fleetloop/schemas/features';
import { readRecording } from '@fleetloop/schemas/recording';
import type { DemoContext } from '../demo-context.ts';
import type { Summary } from '../summary.ts';
import { listRecordings } from './capture.ts';
import { readDocument } from './datasets.ts';

/** Compares both feature sets over the 46 imported runs; a difference over the tolerance is an error. */
export async function measureParity(context: DemoContext): Promise<Summary['parity']> {
  const api = context.fleet.controlPlane.as('auditor');
  const recordings = await listRecordings(api, 'source == "import" && softwareVersion == "1.4.0"');
  const featureSets = await Promise.all(
    ['norms', 'axes'].map(async (name) => parseFeatureSet(await readDocument('feature-sets', `${name}.json`))),
  );
  const reports = featureSets.map((): ParityReport[] => []);
  for (const { recording } of recordings) {
    const messages = await messagesOf(await api.getBytes(`/v1/recordings/${recording}/content`));
    for (const [index, featureSet] of featureSets.entries()) {
      reports[index]?.push(
        compareEngines(featureSet, stream(featureSet, messages), await computeFromMessages(featureSet, messages)),
      );
    }
  }
  return featureSets.flatMap((featureSet, index) => worstOf(featureSet.name, joinParity(reports[index] ?? [])));
}

function worstOf(name: string, report: ParityReport): Summary['parity'] {
  if (!report.withinTolerance)
    throw new FleetError('FEATURE_PARITY', `the engines of ${name} differ by more than the tolerance`);
  return report.features.map(({ feature, worstAbsolute, worstRelative }) => ({
    feature: `${name}.${feature}`,
    worstAbsolute,
    worstRelative,
  }));
}

async function messagesOf(bytes: Uint8Array): Promise<readonly SourceMessage[]> {
  const messages: SourceMessage[] = [];
  for await (const item of readRecording([bytes])) if (item.kind === 'message') messages.push(item.message);
  return messages;
}

function stream(featureSet: FeatureSet, messages: readonly SourceMessage[]): readonly FeatureVector[] {
  const evaluator = createStreamingEvaluator(featureSet);
  return [...messages.flatMap((message) => evaluator.push(message)), ...evaluator.endSession()];
}
