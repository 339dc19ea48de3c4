/** A campaign made ready for one vehicle: condition compiled, units of its inputs checked against the catalogue. */
import {
  type Campaign,
  type CampaignInput,
  canonicalJson,
  type CompiledExpression,
  compileCondition,
  FleetError,
  findSignal,
  type JsonValue,
  unitConversion,
} from '@fleetloop/schemas';

export type CompiledCampaign = {
  readonly campaign: Campaign;
  readonly expression: CompiledExpression;
  /** Equal keys mean equal campaigns: state of triggers survives a new desired state that changes others. */
  readonly key: string;
};

/**
 * @throws FleetError CAMPAIGN_SYNTAX, CAMPAIGN_TYPE, SIGNAL_UNKNOWN for a path that is not in the catalogue, UNIT_UNKNOWN for a
 * unit that does not fit its signal
 */
export function compileCampaign(campaign: Campaign): CompiledCampaign {
  const expression = compileCondition(campaign);
  for (const input of campaign.inputs) checkInput(campaign, input);
  return { campaign, expression, key: canonicalJson(campaign as JsonValue) };
}

function checkInput(campaign: Campaign, input: CampaignInput): void {
  if (input.kind === 'model') return;
  const signal = findSignal(input.path);
  if (signal === undefined) {
    throw new FleetError(
      'SIGNAL_UNKNOWN',
      `campaign ${campaign.id}: input ${input.name} reads ${input.path}, which is neither in the VSS catalogue nor in the overlay`,
    );
  }
  try {
    unitConversion(signal.unit, input.unit);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FleetError('UNIT_UNKNOWN', `campaign ${campaign.id}: input ${input.name}: ${why}`, { cause });
  }
}
