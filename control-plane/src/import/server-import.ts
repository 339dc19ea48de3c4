/** An import of files that the control plane can read itself: the command starts it there, shows its progress, and may leave it alone. */
import { FleetError } from '@fleetloop/schemas';
import type { ImportRunsResult } from '@fleetloop/workflows';
import type { FleetClient } from '../api/fleet-io.ts';
import { followWorkflow } from '../features/follow-workflow.ts';
import type { ImportReport } from './import-runs.ts';

export type ServerImportIo = {
  readonly client: () => Promise<FleetClient>;
  readonly progress: (line: string) => void;
  readonly print: (text: string) => void;
  readonly interruption: () => AbortSignal;
};

export type ServerImport = {
  readonly root: string;
  readonly specification: unknown;
  readonly isDetached: boolean;
  readonly isJson: boolean;
};

/**
 * Waits for the report; undefined when nobody waits. Ctrl-C leaves the import running: it is the control plane's own.
 * @throws FleetError IMPORT_FAILED with what ended it, IMPORT_INTERRUPTED
 */
export async function importOnServer(io: ServerImportIo, order: ServerImport): Promise<ImportReport | undefined> {
  const client = await io.client();
  const { root, specification } = order;
  const { workflowId } = await client.post<{ workflowId: string }>('/v1/import-runs', { root, specification });
  io.progress(`started ${workflowId}`);
  if (order.isDetached) {
    io.print(order.isJson ? JSON.stringify({ workflowId }, null, 2) : workflowId);
    return undefined;
  }
  const { again, ...report } = await waitFor(io, client, workflowId);
  if (again.length > 0) io.progress(`\`fleetloop workflow retry ${workflowId}\` imports the runs that failed again`);
  return report;
}

async function waitFor(io: ServerImportIo, client: FleetClient, workflowId: string): Promise<ImportRunsResult> {
  const signal = io.interruption();
  const work = { workflowId, route: `/v1/import-runs/${workflowId}` };
  try {
    return await followWorkflow<ImportRunsResult>(client, work, { progress: io.progress, signal });
  } catch (error) {
    const { message } = FleetError.from(error);
    if (signal.aborted) throw new FleetError('IMPORT_INTERRUPTED', message);
    throw new FleetError('IMPORT_FAILED', `${workflowId} ended before its report: ${message}`, { cause: error });
  }
}
