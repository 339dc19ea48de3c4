/** Why: `npm test` installs the servers as a step of its own, so that no test waits for a build. */
import { FleetError } from '@fleetloop/schemas';
import { prepareStack } from './stack.ts';

const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());
process.once('SIGTERM', () => interrupted.abort());

try {
  await prepareStack({ signal: interrupted.signal });
} catch (error) {
  console.error(FleetError.from(error).message);
  process.exitCode = 1;
}
