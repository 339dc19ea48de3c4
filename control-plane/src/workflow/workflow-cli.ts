/** `fleetloop workflow show | follow | retry | cancel`: whoever left long work alone finds it again, and repairs or ends it. */
import { FleetError } from '@fleetloop/schemas';
import { Command } from 'commander';
import type { WorkflowState } from '../api/api-client.ts';
import type { FleetClient, FleetIo, JsonOption } from '../api/fleet-io.ts';
import { renderTable } from '../api/text-table.ts';
import { followWorkflow } from '../features/follow-workflow.ts';

/** Work in parts, and the routes that control it. Rollouts, trainings and promotions have controls and rules of their own. */
const ROUTES = {
  importRuns: '/v1/import-runs',
  computeFeatures: '/v1/feature-computations',
  validateFeatureSet: '/v1/feature-validations',
  evaluateSkew: '/v1/skew-evaluations',
  evaluateDrift: '/v1/drift',
} as const satisfies Record<string, string>;
type Controlled = keyof typeof ROUTES;

export type WorkflowIo = FleetIo & {
  readonly progress: (line: string) => void;
  readonly interruption: () => AbortSignal;
};
type State = WorkflowState & { readonly kind: string };
type Retried = { readonly workflowId: string; readonly parts: number; readonly runs?: number };

const JSON_FLAG = ['--json', 'print the answer as JSON'] as const;
const ID = ['<id>', 'as the command that started it printed it'] as const;

export function workflowCommand(io: WorkflowIo): Command {
  return new Command('workflow')
    .description('long work on the control plane: how it stands, and to follow, retry or cancel it')
    .addCommand(showCommand(io))
    .addCommand(followCommand(io))
    .addCommand(retryCommand(io))
    .addCommand(cancelCommand(io));
}

function showCommand(io: WorkflowIo): Command {
  return new Command('show')
    .description('show how a workflow stands; exit code 1 when it failed or was cancelled')
    .argument(...ID)
    .option(...JSON_FLAG)
    .action(async (workflowId: string, { json }: JsonOption) => {
      const state = await readState(await io.client(), workflowId);
      io.print(json === true ? JSON.stringify(state, null, 2) : describe(state));
      if (state.status === 'failed' || state.status === 'cancelled') io.answerNo();
    });
}

function followCommand(io: WorkflowIo): Command {
  return new Command('follow')
    .description('wait for the end of a workflow and print its result; Ctrl-C leaves it running')
    .argument(...ID)
    .option('--json', 'print the result as JSON, indented')
    .action(async (workflowId: string, { json }: JsonOption) => {
      const client = await io.client();
      const { kind } = await readState(client, workflowId);
      const route = isControlled(kind) ? `${ROUTES[kind]}/${workflowId}` : `/v1/workflows/${workflowId}`;
      const signal = io.interruption();
      const result = await followWorkflow<unknown>(client, { workflowId, route }, { progress: io.progress, signal });
      io.print(JSON.stringify(result ?? null, null, json === true ? 2 : undefined));
    });
}

function retryCommand(io: WorkflowIo): Command {
  return new Command('retry')
    .description(
      'run what has failed once more: parts that wait for it, or the failed runs of an import that has ended',
    )
    .argument(...ID)
    .option(...JSON_FLAG)
    .action(async (workflowId: string, { json }: JsonOption) => {
      const client = await io.client();
      const retried = await client.post<Retried>(`${await routeOf(client, workflowId)}/retry`, {});
      if (json === true) return io.print(JSON.stringify(retried, null, 2));
      const what = retried.runs === undefined ? `${retried.parts} parts` : `${retried.runs} runs`;
      io.print(`${what} of ${workflowId} run again: ${retried.workflowId}`);
    });
}

function cancelCommand(io: WorkflowIo): Command {
  return new Command('cancel')
    .description('end a workflow; what it has done stays')
    .argument(...ID)
    .option(...JSON_FLAG)
    .action(async (workflowId: string, { json }: JsonOption) => {
      const client = await io.client();
      await client.delete(await routeOf(client, workflowId));
      io.print(json === true ? JSON.stringify({ workflowId }, null, 2) : `${workflowId} is told to end`);
    });
}

/** @throws FleetError NOT_FOUND, WORKFLOW_STATE for work that is controlled elsewhere */
async function routeOf(client: FleetClient, workflowId: string): Promise<string> {
  const { kind } = await readState(client, workflowId);
  if (isControlled(kind)) return `${ROUTES[kind]}/${encodeURIComponent(workflowId)}`;
  throw new FleetError('WORKFLOW_STATE', `${workflowId} is a ${kind}: it has commands and rules of its own`);
}

async function readState(client: FleetClient, workflowId: string): Promise<State> {
  return client.get<State>(`/v1/workflows/${encodeURIComponent(workflowId)}`);
}

function isControlled(kind: string): kind is Controlled {
  return Object.hasOwn(ROUTES, kind);
}

function describe({ workflowId, kind, status, progress, error }: State): string {
  const failure = error === undefined ? '' : `: ${error.code}: ${error.message}`;
  const steps = progress as readonly Readonly<Record<string, unknown>>[];
  const head = `${workflowId} ${kind} is ${status}${failure}`;
  return steps.length === 0 ? head : [head, renderTable([...steps], ['step', 'state', 'detail', 'at'])].join('\n');
}
