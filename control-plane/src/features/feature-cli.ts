/** The command `feature`. */
import { Command } from 'commander';
import type { FleetIo } from '../api/fleet-io.ts';
import { featureComputeCommand } from './compute-cli.ts';
import type { ServerComputeIo } from './compute-on-server.ts';
import type { FeatureIo } from './feature-files.ts';
import { featureJoinCommand } from './join-cli.ts';
import { featureParityCommand } from './parity-cli.ts';
import { registryCommands } from './registry-cli.ts';
import { featureSkewCommand } from './skew-cli.ts';

export function featureCommand(io: FeatureIo & FleetIo & ServerComputeIo): Command {
  const command = new Command('feature')
    .description('the registry of feature sets, their computation, and how true engines, vehicles and time are to them')
    .addCommand(featureComputeCommand(io))
    .addCommand(featureParityCommand(io))
    .addCommand(featureJoinCommand(io))
    .addCommand(featureSkewCommand(io));
  for (const each of registryCommands(io)) command.addCommand(each);
  return command;
}
