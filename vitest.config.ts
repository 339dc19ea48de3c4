/** Why: unit tests take minutes on two cores; each file of the tests on real servers has servers of its own, so two files run at a time. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const PACKAGES = '{schemas,edge-agent,workflows,control-plane,sim}';
const SETUP = [join(import.meta.dirname, 'scripts/test-seed.mjs')];
const UNIT_TIMEOUT_MS = 15_000;
const INTEGRATION_TIMEOUT_MS = 600_000;

/** Vehicles at work answer within their latency budget or are rolled back: nothing else runs beside them. */
const DEMO = 'test/demo/**/*.test.ts';
const SERVERS = {
  setupFiles: SETUP,
  testTimeout: INTEGRATION_TIMEOUT_MS,
  hookTimeout: INTEGRATION_TIMEOUT_MS,
  // Of the hundreds of processes that these tests start, each takes half as long.
  env: { NODE_COMPILE_CACHE: join(import.meta.dirname, '.fleetloop/compile-cache') },
};

// Vitest reads its configuration from a default export.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          setupFiles: SETUP,
          include: [`${PACKAGES}/src/**/*.test.ts`],
          testTimeout: UNIT_TIMEOUT_MS,
          hookTimeout: UNIT_TIMEOUT_MS,
        },
      },
      // Half of their time they wait for processes to start and stop.
      { test: { ...SERVERS, name: 'integration', include: ['test/**/*.test.ts'], exclude: [DEMO], maxWorkers: 2 } },
      { test: { ...SERVERS, name: 'demo', include: [DEMO] } },
    ],
    coverage: { provider: 'v8', include: [`${PACKAGES}/src/**/*.ts`], exclude: ['**/*.test.ts', '**/gen/**'] },
  },
});
