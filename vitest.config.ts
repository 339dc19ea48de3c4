/** Why: unit tests run in a minute and in parallel; tests on real servers share two cores, so they take turns. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const PACKAGES = '{schemas,edge-agent,workflows,control-plane,sim}';
const UNIT_TIMEOUT_MS = 15_000;
const INTEGRATION_TIMEOUT_MS = 600_000;

// Vitest reads its configuration from a default export.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [`${PACKAGES}/src/**/*.test.ts`],
          testTimeout: UNIT_TIMEOUT_MS,
          hookTimeout: UNIT_TIMEOUT_MS,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts'],
          testTimeout: INTEGRATION_TIMEOUT_MS,
          hookTimeout: INTEGRATION_TIMEOUT_MS,
          fileParallelism: false,
          // Of the hundreds of processes that these tests start, each takes half as long.
          env: { NODE_COMPILE_CACHE: join(import.meta.dirname, '.fleetloop/compile-cache') },
        },
      },
    ],
    coverage: { provider: 'v8', include: [`${PACKAGES}/src/**/*.ts`], exclude: ['**/*.test.ts', '**/gen/**'] },
  },
});
