/** Asks the agent that runs on this machine. */
import { readFile } from 'node:fs/promises';
import { type AgentQuestion, FleetError } from '@fleetloop/schemas';
import { askAgent } from '../adapters/control-client.ts';
import { controlSocketOf, parseAgentConfig } from '../agent/agent-config.ts';

/** @throws FleetError CONFIG_INVALID when neither socket nor configuration is named, AGENT_UNREACHABLE */
export async function askHere(
  { config, socket }: { readonly config?: string; readonly socket?: string },
  question: AgentQuestion,
): Promise<unknown> {
  return askAgent(socket ?? (await socketOf(config)), question);
}

async function socketOf(config: string | undefined): Promise<string> {
  if (config === undefined)
    throw new FleetError(
      'CONFIG_INVALID',
      'no agent is named: give --config or --socket, or set FLEETLOOP_AGENT_CONFIG',
    );
  const text = await readFile(config, 'utf8').catch((cause: unknown) => {
    throw new FleetError('CONFIG_INVALID', `the configuration ${config} cannot be read: check the path`, { cause });
  });
  return controlSocketOf(parseAgentConfig(text, config));
}
