// Why this file exists: ONNX Runtime is heavy native code; it is loaded when the first model arrives and held to one thread and no
// memory arena, so that an agent without a model pays nothing and one with a model pays little.
import { FleetError } from '@fleetloop/schemas';
import type { InferenceSession } from 'onnxruntime-node';

/** One loaded variant. */
export interface ModelSession {
  /**
   * Probabilities [labels] of one feature vector.
   * @throws FleetError INFER_FAILED
   */
  run(vector: Float64Array): Promise<Float32Array>;
  close(): Promise<void>;
}

/** What the graph of a bundle must look like: float32 [N][features] in, float32 [N][labels] out. */
export type ModelShape = { readonly features: number; readonly labels: number };

export type OpenSession = (bytes: Uint8Array, shape: ModelShape) => Promise<ModelSession>;

const OPTIONS: InferenceSession.SessionOptions = {
  executionProviders: ['cpu'],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  enableCpuMemArena: false,
  enableMemPattern: false,
  logSeverityLevel: 3,
};

/** Opens a session on ONNX Runtime's CPU provider. @throws FleetError INFER_FAILED for bytes that are no such model */
export const openOnnxSession: OpenSession = async (bytes, shape) => {
  const { InferenceSession: Session, Tensor } = await import('onnxruntime-node');
  const session = await openSession(() => Session.create(bytes, OPTIONS));
  const input = session.inputNames[0];
  const output = session.outputNames[0];
  if (input === undefined || output === undefined)
    throw new FleetError('INFER_FAILED', 'the model has no input or no output');
  return {
    async run(vector) {
      // A tensor of its own for each run: the runtime may still read the former one.
      const tensor = new Tensor('float32', Float32Array.from(vector), [1, shape.features]);
      const results = await runSession(() => session.run({ [input]: tensor }));
      const values = results[output]?.data;
      if (!(values instanceof Float32Array) || values.length !== shape.labels) {
        throw new FleetError(
          'INFER_FAILED',
          `the model answered ${values?.length ?? 'no'} values, expected ${shape.labels} of float32`,
        );
      }
      if (!values.every(Number.isFinite))
        throw new FleetError('INFER_FAILED', 'the model answered a value that is not a number');
      return values;
    },
    close: () => session.release(),
  };
};

async function openSession(open: () => Promise<InferenceSession>): Promise<InferenceSession> {
  try {
    return await open();
  } catch (cause) {
    throw new FleetError('INFER_FAILED', `the model does not load: ${String(cause)}`, { cause });
  }
}

async function runSession<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (cause) {
    throw new FleetError('INFER_FAILED', `the model does not run: ${String(cause)}`, { cause });
  }
}
