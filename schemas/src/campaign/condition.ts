/** Compiles a campaign's conditions against its declared inputs, the same on the vehicle and at the control plane. */
import { compileExpression, type CompiledExpression, type VariableType } from '../expression/expression.ts';
import { FleetError } from '../errors/fleet-error.ts';
import type { CampaignInput } from './campaign-inputs.ts';
import type { Campaign } from './campaign.ts';

/**
 * @throws FleetError CAMPAIGN_SYNTAX, CAMPAIGN_TYPE, CAMPAIGN_COST; the message points at the character
 */
export function compileCondition(campaign: Campaign, source: string = campaign.condition): CompiledExpression {
  const variables = new Map<string, VariableType>();
  for (const input of campaign.inputs) {
    if (variables.has(input.name))
      throw new FleetError('CAMPAIGN_TYPE', `campaign ${campaign.id} declares the input ${input.name} twice`);
    variables.set(input.name, typeOfInput(input));
  }
  return compileExpression(source, Object.fromEntries(variables), {
    syntax: 'CAMPAIGN_SYNTAX',
    type: 'CAMPAIGN_TYPE',
    cost: 'CAMPAIGN_COST',
  });
}

/** The type of an input in the expression. */
export function typeOfInput(input: CampaignInput): 'string' | 'bool' | 'double' {
  switch (input.kind) {
    case 'model':
      return input.field === 'output' ? 'string' : 'double';
    case 'attribute':
      return input.type === 'string' ? 'string' : 'double';
    case 'disagreement':
    case 'geofence':
    case 'hysteresis':
      return 'bool';
    case 'signal':
    case 'window':
    case 'staleness':
      return 'double';
  }
}
