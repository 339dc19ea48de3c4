/** `feature compute` without recordings of its own: the control plane computes those of its catalogue, and this fetches the table. */
import { writeFile } from 'node:fs/promises';
import type { FeaturesOutcome } from '@fleetloop/workflows';
import type { FleetClient } from '../api/fleet-io.ts';
import { followWorkflow } from './follow-workflow.ts';
import { requirePlaceOf, writeTableFile } from './table-file.ts';

interface TableClient extends FleetClient {
  getBytes(path: string): Promise<Uint8Array>;
}

export type ServerComputeIo = {
  readonly client: () => Promise<TableClient>;
  readonly print: (text: string) => void;
  readonly progress: (line: string) => void;
  readonly interruption: () => AbortSignal;
};

export type ServerComputation = {
  /** NAME, NAME@VERSION or a digest. */
  readonly set: string;
  readonly where?: string | undefined;
  /** Where the table goes; absent: it stays in the blob store. */
  readonly out?: string | undefined;
  readonly json?: true;
};

/** @throws FleetError with the code of what failed, WORKFLOW_STATE when whoever waits leaves */
export async function computeOnServer(
  io: ServerComputeIo,
  { set, where, out, json }: ServerComputation,
): Promise<void> {
  if (out !== undefined) await requirePlaceOf(out);
  const client = await io.client();
  const asked = { featureSet: set, where: where ?? null };
  const { computationId } = await client.post<{ computationId: string }>('/v1/feature-computations', asked);
  io.progress(`started ${computationId}`);
  const outcome = await followWorkflow<FeaturesOutcome>(
    client,
    { workflowId: computationId, route: `/v1/feature-computations/${computationId}` },
    { progress: io.progress, signal: io.interruption() },
  );
  if (out !== undefined) {
    const bytes = await client.getBytes(`/v1/blobs/${outcome.table}`);
    await writeTableFile(out, async (unfinished) => writeFile(unfinished, bytes));
  }
  const { rows, recordings, skippedCount, lateSamples, table } = outcome;
  const skipped = skippedCount === 0 ? '' : `, ${skippedCount} of them without the inputs`;
  const late = lateSamples === 0 ? '' : `, ${lateSamples} late samples left out`;
  io.print(
    json === true
      ? JSON.stringify({ ...outcome, out: out ?? null }, null, 2)
      : `${out ?? table}: ${rows} windows of ${recordings} recordings${skipped}${late}`,
  );
}
