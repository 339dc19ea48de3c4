/** The rate of the trigger evaluator, with Node as it comes and with the flags of an agent (little memory). */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AGENT_NODE_FLAGS } from '@fleetloop/edge-agent/launch';
import type { Measurement } from '../measurement.ts';
import type { Figure } from '../figure.ts';
import type { WindowsRead } from './trigger-rate.ts';

const CHILD = join(import.meta.dirname, 'trigger-rate-child.ts');
const TIMEOUT_MS = 300_000;
const run = promisify(execFile);

type Trial = { readonly flags: readonly string[]; readonly read: WindowsRead; readonly repeats: number };

async function measured({ flags, read, repeats }: Trial, signal: AbortSignal): Promise<Measurement> {
  const args = [...flags, CHILD, String(repeats), read];
  const { stdout } = await run(process.execPath, args, { signal, timeout: TIMEOUT_MS });
  return JSON.parse(stdout) as Measurement;
}

export const triggerFigures: readonly Figure[] = [
  {
    name: 'trigger-rate',
    run: async ({ repeats, signal, onProgress }) => {
      const measurements: Measurement[] = [];
      for (const read of ['seldom', 'always'] as const) {
        onProgress(`windows read ${read}, Node as it comes`);
        measurements.push(await measured({ flags: [], read, repeats }, signal));
        onProgress(`windows read ${read}, the agent's flags`);
        const flagged = await measured({ flags: AGENT_NODE_FLAGS, read, repeats }, signal);
        measurements.push({ ...flagged, figure: `${flagged.figure}, the agent's flags` });
      }
      return measurements;
    },
  },
];
