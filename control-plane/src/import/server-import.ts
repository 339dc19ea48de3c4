/** An import of files that the control plane can read itself: the command starts it there, shows its progress, and may leave it alone. */
import { setTimeout as delay } from 'node:timers/promises';
import { FleetError } from '@fleetloop/schemas';
import type { ImportReport } from './import-runs.ts';
import type { ImportClient } from './send-recording.ts';

const POLL_INTERVAL_MS = 500;

export type ServerImportIo = {
  readonly client: () => Promise<ImportClient>;
  readonly progress: (line: string) => void;
  readonly print: (text: string) => void;
  readonly interruption: () => AbortSignal;
};

type State = {
  readonly status: 'running' | 'completed' | 'failed' | 'cancelled';
  readonly progress: readonly { readonly step: string; readonly state: string; readonly detail: string }[];
  readonly result?: ImportReport;
  readonly error?: { readonly code: string; readonly message: string };
};

/**
 * Waits for the report; undefined when nobody waits. Ctrl-C leaves the import running: it is the control plane's own.
 * @throws FleetError IMPORT_FAILED with what ended it, IMPORT_INTERRUPTED
 */
export async function importOnServer(
  io: ServerImportIo,
  order: { readonly root: string; readonly specification: unknown; readonly isDetached: boolean },
): Promise<ImportReport | undefined> {
  const client = await io.client();
  const { root, specification } = order;
  const { workflowId } = await client.post<{ workflowId: string }>('/v1/import-runs', { root, specification });
  io.progress(`started ${workflowId}`);
  if (order.isDetached) {
    io.print(workflowId);
    return undefined;
  }
  const signal = io.interruption();
  for (let said = ''; ; ) {
    if (signal.aborted)
      throw new FleetError(
        'IMPORT_INTERRUPTED',
        `${workflowId} goes on without this command: GET /v1/workflows/${workflowId} shows it, DELETE /v1/import-runs/${workflowId} cancels it`,
      );
    const state = await client.get<State>(`/v1/workflows/${encodeURIComponent(workflowId)}`);
    const line = state.progress.map(({ step, detail }) => `${step}: ${detail}`).join('; ');
    if (line !== said) io.progress((said = line));
    if (state.status === 'completed' && state.result !== undefined) return state.result;
    if (state.status !== 'running')
      throw new FleetError('IMPORT_FAILED', `${workflowId} was ${state.status}: ${state.error?.message ?? ''}`);
    await delay(POLL_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}
