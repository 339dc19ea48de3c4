// Why: a desk draws new cases at each run and so finds what nobody thought of; CI draws the same ones each time, so that a change is judged by
// what it changes. `FLEETLOOP_TEST_SEED` is the seed of every property test; without it each draws its own and prints it when it fails.
import { env } from 'node:process';

const seed = env['FLEETLOOP_TEST_SEED'];
if (seed !== undefined) {
  if (!/^\d{1,9}$/.test(seed)) throw new Error(`FLEETLOOP_TEST_SEED must be a number of at most 9 digits, not ${seed}`);
  const { default: fc } = await import('fast-check');
  fc.configureGlobal({ seed: Number(seed) });
}
