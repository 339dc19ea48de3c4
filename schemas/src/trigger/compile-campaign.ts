/** A campaign made ready for one vehicle: paths, units, conditions and cost checked, before anything of it runs. */
import type { CampaignInput } from '../campaign/campaign-inputs.ts';
import type { VehicleAttributes } from '../campaign/campaign-trace.ts';
import type { Campaign } from '../campaign/campaign.ts';
import { typeOfInput } from '../campaign/condition.ts';
import { canonicalJson, type JsonValue } from '../digest/canonical-json.ts';
import { assertNever, FleetError } from '../errors/fleet-error.ts';
import { findSignal } from '../vss/catalogue.ts';
import { unitConversion } from '../vss/units.ts';
import { compileProgram, type ConditionProgram } from './condition-program.ts';
import { entriesOf, samplesOf } from './make-window.ts';
import { WINDOW_ENTRIES_MAX } from './sliding-window.ts';

/** Entries that the windows of one campaign may hold together; each takes less than 32 bytes. */
export const CAMPAIGN_WINDOW_ENTRIES_MAX = 16_384;

export type CompiledInput = {
  readonly name: string;
  readonly type: 'double' | 'bool' | 'string';
  /** Inputs with equal keys have equal values: they are computed once for all campaigns. */
  readonly key: string;
  readonly declared: CampaignInput;
  /** Unit of the value, empty for plain numbers, undefined where there is none. */
  readonly unit: string | undefined;
  /** The value of an attribute; undefined where the vehicle declares none. */
  readonly fixed?: string | number;
};

export type CompiledCampaign = {
  readonly campaign: Campaign;
  readonly inputs: readonly CompiledInput[];
  readonly condition: ConditionProgram;
  readonly release: ConditionProgram | undefined;
  /** Equal keys mean equal campaigns: the state of triggers survives a new desired state that changes others. */
  readonly key: string;
};

/**
 * @throws FleetError CAMPAIGN_SYNTAX, CAMPAIGN_TYPE, CAMPAIGN_COST, SIGNAL_UNKNOWN for a path that is not in the catalogue, UNIT_UNKNOWN
 * for a unit that does not fit its signal
 */
export function compileCampaign(campaign: Campaign, vehicle: VehicleAttributes): CompiledCampaign {
  const inputs = campaign.inputs.map((input) => compileInput(campaign, input, vehicle));
  checkWindowCost(campaign);
  const units = new Map(inputs.map(({ name, unit }) => [name, unit]));
  const releaseSource = campaign.hysteresis?.releaseCondition;
  const fixed = inputs.flatMap((input) => (input.fixed === undefined ? [] : [[input.name, input.fixed]]));
  // Suspending a campaign and taking it back leaves its timers as they are.
  const { suspended: _, ...lasting } = campaign;
  return {
    campaign,
    inputs,
    condition: compileProgram(campaign, campaign.condition, units),
    release: releaseSource === undefined ? undefined : compileProgram(campaign, releaseSource, units),
    key: canonicalJson({ campaign: lasting, fixed } as JsonValue),
  };
}

function compileInput(campaign: Campaign, declared: CampaignInput, vehicle: VehicleAttributes): CompiledInput {
  const { name, ...definition } = declared;
  const type = typeOfInput(declared);
  const unit = unitOf(declared);
  for (const [path, needed] of readings(declared)) checkReading(`campaign ${campaign.id}: input ${name}`, path, needed);
  const fixed = declared.kind === 'attribute' ? attributeOf(campaign, declared, vehicle) : undefined;
  const key = canonicalJson((fixed === undefined ? definition : { ...definition, fixed }) as JsonValue);
  return { name, type, key, declared, unit, ...(fixed === undefined ? {} : { fixed }) };
}

function unitOf(input: CampaignInput): string | undefined {
  switch (input.kind) {
    case 'signal':
      return input.unit;
    case 'window':
      return input.statistic === 'count' || input.statistic === 'rate' ? '' : input.unit;
    case 'staleness':
      return 'ms';
    case 'model':
      return input.field === 'output' ? undefined : '';
    case 'disagreement':
    case 'geofence':
    case 'hysteresis':
    case 'attribute':
      return undefined;
    default:
      return assertNever(input);
  }
}

/** The paths that an input reads, each with the unit that it is read in; an empty list for those that read no number. */
function readings(input: CampaignInput): readonly (readonly [path: string, unit: string | undefined])[] {
  switch (input.kind) {
    case 'signal':
    case 'window':
    case 'hysteresis':
      return [[input.path, input.unit]];
    case 'staleness':
      return input.path === undefined ? [] : [[input.path, undefined]];
    case 'geofence':
      return [
        [input.latitudePath, 'degrees'],
        [input.longitudePath, 'degrees'],
      ];
    case 'model':
    case 'disagreement':
    case 'attribute':
      return [];
    default:
      return assertNever(input);
  }
}

function checkReading(where: string, path: string, unit: string | undefined): void {
  const signal = findSignal(path);
  if (signal === undefined) {
    throw new FleetError(
      'SIGNAL_UNKNOWN',
      `${where} reads ${path}, which is neither in the VSS catalogue nor in the overlay`,
    );
  }
  if (unit === undefined) return;
  try {
    unitConversion(signal.unit, unit);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FleetError('UNIT_UNKNOWN', `${where}: ${why}`, { cause });
  }
}

function attributeOf(
  campaign: Campaign,
  input: Extract<CampaignInput, { kind: 'attribute' }>,
  vehicle: VehicleAttributes,
): string | number | undefined {
  const attributes: VehicleAttributes = input.of === 'vehicle' ? vehicle : (campaign.attributes ?? {});
  const value = Object.hasOwn(attributes, input.attribute) ? attributes[input.attribute] : undefined;
  const where = `campaign ${campaign.id}: input ${input.name} reads the attribute ${input.attribute}`;
  if (value === undefined) {
    if (input.of === 'vehicle') return undefined;
    throw new FleetError('CAMPAIGN_TYPE', `${where}, which the campaign does not declare: add it to attributes`);
  }
  if (typeof value === input.type) return value;
  throw new FleetError('CAMPAIGN_TYPE', `${where} as a ${input.type}, but the ${input.of} gives a ${typeof value}`);
}

function checkWindowCost(campaign: Campaign): void {
  let entries = 0;
  for (const input of campaign.inputs) {
    if (input.kind !== 'window') continue;
    const samples = samplesOf(input) ?? 0;
    if (samples > WINDOW_ENTRIES_MAX) {
      throw new FleetError(
        'CAMPAIGN_COST',
        `campaign ${campaign.id}: input ${input.name} keeps ${samples} samples, at most ${WINDOW_ENTRIES_MAX} are kept: shorten the window, or leave rateHzMax out to work on short spans`,
      );
    }
    entries += entriesOf(input);
  }
  if (entries <= CAMPAIGN_WINDOW_ENTRIES_MAX) return;
  throw new FleetError(
    'CAMPAIGN_COST',
    `campaign ${campaign.id}: its windows hold ${entries} entries together, at most ${CAMPAIGN_WINDOW_ENTRIES_MAX} are allowed: declare fewer or shorter ones`,
  );
}
