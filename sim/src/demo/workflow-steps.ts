/** Waits for a workflow of the control plane and shows each of its steps once. */
import type { ApiClient } from '@fleetloop/control-plane';
import { z } from 'zod';

const Steps = z.array(z.object({ step: z.string(), state: z.string(), detail: z.string() })).catch([]);

export type FollowOptions = {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onStep?: (line: string) => void;
};

/**
 * Returns the workflow's result.
 * @throws FleetError with the workflow's own code when it failed, AbortError (TimeoutError) past the deadline
 */
export async function followWorkflow<Result>(
  api: ApiClient,
  workflowId: string,
  options: FollowOptions,
): Promise<Result> {
  const shown = new Set<string>();
  const onProgress = (progress: unknown): void => {
    for (const { step, state, detail } of Steps.parse(progress)) {
      const line = `${step}: ${state}${detail === '' ? '' : ` – ${detail}`}`;
      if (state === 'running' || shown.has(line)) continue;
      shown.add(line);
      options.onStep?.(line);
    }
  };
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
  return api.workflowResult<Result>(workflowId, { signal, onProgress });
}
