/** `fleetloop feature list | show | propose | validate | activate | deprecate`: the life of feature sets, over the API. */
import { FleetError } from '@fleetloop/schemas';
import type { ValidationOutcome } from '@fleetloop/workflows';
import { Command } from 'commander';
import type { FleetIo, JsonOption } from '../api/fleet-io.ts';
import { renderTable } from '../api/text-table.ts';
import type { FeatureSetStepTaken, RegisteredFeatureSet } from './feature-registry.ts';
import { followWorkflow } from './follow-workflow.ts';
import type { UsedBy } from './used-by.ts';

type Outline = Omit<RegisteredFeatureSet, 'steps' | 'proposer'> & { readonly actor: string };
type Shown = Outline & { readonly steps: readonly FeatureSetStepTaken[]; readonly usedBy: UsedBy };
type Standing = Pick<RegisteredFeatureSet, 'name' | 'version' | 'digest' | 'state'> & {
  readonly step: FeatureSetStepTaken;
};
type AsOfOption = { readonly asOf?: string } & JsonOption;
type ReasonOption = { readonly reason: string } & JsonOption;

const AS_OF = ['--as-of <point>', 'as it was at a ledger sequence or an RFC 3339 time'] as const;
const REASON = ['--reason <text>', 'why, for whoever reads the ledger'] as const;
const JSON_FLAG = ['--json', 'print the answer as JSON'] as const;

export type RegistryIo = FleetIo & {
  readonly progress: (line: string) => void;
  readonly interruption: () => AbortSignal;
};

export function registryCommands(io: RegistryIo): readonly Command[] {
  return [
    listCommand(io),
    showCommand(io),
    proposeCommand(io),
    validateCommand(io),
    activateCommand(io),
    deprecateCommand(io),
  ];
}

function listCommand(io: FleetIo): Command {
  return new Command('list')
    .description('list feature sets and how each version stands')
    .option('--name <name>', 'only the versions of this name')
    .option(...AS_OF)
    .option(...JSON_FLAG)
    .action(async ({ name, asOf, json }: AsOfOption & { readonly name?: string }) => {
      const client = await io.client();
      const { featureSets } = await client.get<{ featureSets: readonly Outline[] }>('/v1/feature-sets', {
        query: { name, asOf },
      });
      if (json === true) return io.print(JSON.stringify(featureSets, null, 2));
      const rows = featureSets.map(({ featureSet, ...set }) => ({
        ...set,
        owner: featureSet.owner,
        validator: featureSet.validator,
        features: featureSet.features.length,
      }));
      io.print(renderTable(rows, ['name', 'version', 'state', 'owner', 'validator', 'features', 'at', 'digest']));
    });
}

function showCommand(io: FleetIo): Command {
  return new Command('show')
    .description('show one feature set: its definition, who said what about it, and what uses it')
    .argument('<reference>', 'NAME (the active version), NAME@VERSION or a digest')
    .option(...AS_OF)
    .option(...JSON_FLAG)
    .action(async (reference: string, { asOf, json }: AsOfOption) => {
      const shown = await readShown(io, reference, asOf);
      io.print(json === true ? JSON.stringify(shown, null, 2) : describeSet(shown));
    });
}

function proposeCommand(io: FleetIo): Command {
  return new Command('propose')
    .description('propose a feature set: from then on its name and version mean these bytes')
    .argument('<file>', 'the feature set (JSON)')
    .option(...REASON)
    .option(...JSON_FLAG)
    .action(async (file: string, { reason, json }: { readonly reason?: string } & JsonOption) => {
      const document = parseJson(await io.readText(file), file);
      const why = reason === undefined ? {} : { reason };
      const client = await io.client();
      const answer = await client.post<{ digest: string; name: string; version: number }>('/v1/feature-sets', {
        document,
        ...why,
      });
      const { name, version, digest } = answer;
      io.print(json === true ? JSON.stringify(answer, null, 2) : `${name}@${version} ${digest} is registered`);
    });
}

function validateCommand(io: RegistryIo): Command {
  return new Command('validate')
    .description('have both engines compute recordings and record that they agree; never by whoever proposed it')
    .argument('<reference>', 'NAME@VERSION')
    .requiredOption('--recording <digest...>', 'recordings of the catalogue')
    .requiredOption(...REASON)
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      '\nThe control plane compares the recordings part by part; Ctrl-C cancels it, and nothing is recorded.',
    )
    .action(async (reference: string, options: ReasonOption & { readonly recording: readonly string[] }) =>
      validate(io, reference, options),
    );
}

function activateCommand(io: FleetIo): Command {
  return new Command('activate')
    .description('make a validated version the one that its name stands for')
    .argument('<reference>', 'NAME@VERSION')
    .requiredOption(...REASON)
    .option(...JSON_FLAG)
    .action(async (reference: string, options: ReasonOption) =>
      takeStep(io, reference, { step: 'activate', body: { reason: options.reason }, ...options }),
    );
}

function deprecateCommand(io: FleetIo): Command {
  return new Command('deprecate')
    .description('end the life of a version: nothing new is trained or promoted with it')
    .argument('<reference>', 'NAME@VERSION')
    .requiredOption(...REASON)
    .option('--successor <reference>', 'what takes its place: NAME@VERSION')
    .option(...JSON_FLAG)
    .action(async (reference: string, options: ReasonOption & { readonly successor?: string }) =>
      takeStep(io, reference, {
        step: 'deprecate',
        body: { reason: options.reason, successor: options.successor ?? null },
        ...options,
      }),
    );
}

async function validate(
  io: RegistryIo,
  reference: string,
  { recording, reason, json }: ReasonOption & { readonly recording: readonly string[] },
): Promise<void> {
  const { name, version } = parseReference(reference);
  const client = await io.client();
  const asked = { recordings: recording, reason };
  const path = `/v1/feature-sets/${name}/${version}`;
  const { validationId } = await client.post<{ validationId: string }>(`${path}/validate`, asked);
  io.progress(`started ${validationId}`);
  const { report } = await followWorkflow<ValidationOutcome>(
    client,
    { workflowId: validationId, route: `/v1/feature-validations/${validationId}` },
    { progress: io.progress, signal: io.interruption(), atInterruption: 'cancel' },
  );
  const { digest, state, steps } = await client.get<Shown>(path);
  const step = steps.findLast(({ evidence }) => evidence[0] === report);
  if (step === undefined)
    throw new FleetError('INTERNAL_UNEXPECTED', `${reference} has no step with the report ${report}`);
  printStanding(io, { name, version, digest, state, step }, json);
}

async function takeStep(
  io: FleetIo,
  reference: string,
  { step, body, json }: { readonly step: string; readonly body: object } & JsonOption,
): Promise<void> {
  const { name, version } = parseReference(reference);
  const client = await io.client();
  printStanding(io, await client.post<Standing>(`/v1/feature-sets/${name}/${version}/${step}`, body), json);
}

function printStanding(io: FleetIo, standing: Standing, json: true | undefined): void {
  const { name, version, state, step: taken } = standing;
  const evidence = taken.evidence[0] ?? standing.digest;
  io.print(
    json === true
      ? JSON.stringify(standing, null, 2)
      : `${name}@${version} is ${state}, by ${taken.actor} at ${taken.at} on the evidence of ${evidence}`,
  );
}

async function readShown(io: FleetIo, reference: string, asOf: string | undefined): Promise<Shown> {
  const client = await io.client();
  return client.get<Shown>(`/v1/feature-sets/${encodeURIComponent(reference)}`, { query: { asOf } });
}

/** A step is about one version, which whoever takes it must have read. @throws FleetError REQUEST_INVALID */
export function parseReference(reference: string): { readonly name: string; readonly version: number } {
  const match = /^([a-z0-9][a-z0-9-]{0,62})@(\d{1,9})$/.exec(reference);
  if (match === null)
    throw new FleetError(
      'REQUEST_INVALID',
      `${JSON.stringify(reference)} names no version: write NAME@VERSION, such as norms@1`,
    );
  return { name: match[1] as string, version: Number(match[2]) };
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FleetError('FEATURE_SET_INVALID', `${file} is not JSON`, { cause });
  }
}

function describeSet({ featureSet, usedBy, steps, ...set }: Shown): string {
  const { window, signals, features, tolerance, latencyBudgetMs, entity, owner, validator } = featureSet;
  const inputs = signals.map(({ name, path, unit }) => ({ name, path, unit }));
  const outputs = features.map((feature) => ({
    feature: feature.name,
    transform: feature.transform,
    input: feature.input,
    unit: feature.unit,
    divergence: feature.tolerance === undefined ? '' : `${feature.tolerance.owner}, until ${feature.tolerance.expires}`,
  }));
  const used = Object.entries(usedBy).flatMap(([kind, things]) =>
    Array.isArray(things) && things.length > 0
      ? [
          `  ${kind}: ${things.map((thing: string | { readonly label: string }) => (typeof thing === 'string' ? thing : thing.label)).join(', ')}`,
        ]
      : [],
  );
  return [
    `${set.name}@${set.version} ${set.digest} is ${set.state}`,
    `owner ${owner}, validator ${validator}, entity ${entity}, window ${JSON.stringify(window)}`,
    `tolerance ${tolerance.absolute} + ${tolerance.relative} x, latency budget ${latencyBudgetMs} ms`,
    renderTable(inputs, ['name', 'path', 'unit']),
    renderTable(outputs, ['feature', 'transform', 'input', 'unit', 'divergence']),
    renderTable([...steps], ['at', 'state', 'actor', 'reason', 'successor']),
    used.length === 0 ? 'nothing uses it' : `used by\n${used.join('\n')}`,
  ].join('\n');
}
