/** What the model says becomes messages like any sensor's: recorded in events, beside what it saw. */
import { toBinary } from '@bufbuild/protobuf';
import type { OpaqueChannel, OpaqueMessage } from '@fleetloop/schemas';
import { InferenceSchema, Role } from '@fleetloop/schemas/wire';
import type { InferenceResult } from '../ports.ts';

/** Makes the messages of one session; sequences count per topic from 0. */
export function makeModelMessages(): (result: InferenceResult) => OpaqueMessage {
  const channels = new Map<string, { readonly channel: OpaqueChannel; sequence: number }>();
  return ({ model, inference }) => {
    const topic = `/model/${model}/${inference.role === Role.SHADOW ? 'shadow' : 'output'}`;
    const known = channels.get(topic) ?? {
      channel: { kind: 'opaque', topic, schemaName: InferenceSchema.typeName } satisfies OpaqueChannel,
      sequence: 0,
    };
    channels.set(topic, known);
    const sequence = known.sequence;
    known.sequence += 1;
    const { windowEndNs } = inference;
    return {
      kind: 'opaque',
      channel: known.channel,
      sequence,
      logTimeNs: windowEndNs,
      publishTimeNs: windowEndNs,
      data: toBinary(InferenceSchema, inference),
    };
  };
}
