/** Compiles a campaign's condition against its declared inputs, the same on the vehicle and at the control plane. */
import { compileExpression, type CompiledExpression, type VariableType } from '../expression/expression.ts';
import { FleetError } from '../errors/fleet-error.ts';
import type { Campaign, CampaignInput } from './campaign.ts';

/**
 * @throws FleetError CAMPAIGN_SYNTAX, CAMPAIGN_TYPE, CAMPAIGN_COST; the message points at the character
 */
export function compileCondition(campaign: Campaign): CompiledExpression {
  const variables: Record<string, VariableType> = {};
  for (const input of campaign.inputs) {
    if (input.name in variables)
      throw new FleetError('CAMPAIGN_TYPE', `campaign ${campaign.id} declares the input ${input.name} twice`);
    variables[input.name] = typeOfInput(input);
  }
  return compileExpression(campaign.condition, variables, {
    syntax: 'CAMPAIGN_SYNTAX',
    type: 'CAMPAIGN_TYPE',
    cost: 'CAMPAIGN_COST',
  });
}

function typeOfInput(input: CampaignInput): VariableType {
  return input.kind === 'model' && input.field === 'output' ? 'string' : 'double';
}
