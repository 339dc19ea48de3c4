// Why: the boundaries between the packages are the design. Each rule says what it protects; scripts/architecture.mjs
// refuses a run that looked at too few modules, because this tool reports no violation when it could read nothing.

/** Disk, network and processes: what a contract or a workflow must not touch. */
const IO_MODULES =
  '^(node:)?(fs|net|http|https|http2|dgram|tls|child_process|cluster|worker_threads|sqlite|dns|inspector)($|/)';

/** The only files that may bind ports to adapters. Tests of an adapter may enter it too. */
const COMPOSITION_ROOTS = '(/src/main\\.ts$|/src/index\\.ts$|/src/processes/[^/]+\\.ts$|/src/adapters/|\\.test\\.ts$)';

/** Tests, and what only they use. */
const TEST_CODE = '(\\.test\\.ts|/fixtures/[^/]+\\.ts)$';

const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    forbid(
      'schemas-imports-nothing-of-ours',
      'The contract depends on neither side.',
      { path: '^schemas/src/' },
      { path: '^(edge-agent|workflows|control-plane|sim|test)/' },
    ),
    forbid(
      'schemas-has-no-io',
      'The contract can be bundled anywhere.',
      { path: '^schemas/src/', pathNot: TEST_CODE },
      { path: IO_MODULES },
    ),
    forbid(
      'edge-agent-imports-only-schemas',
      'Vehicle and cloud meet only in schemas.',
      { path: '^edge-agent/src/' },
      { path: '^(workflows|control-plane|sim|test)/' },
    ),
    forbid(
      'edge-agent-knows-no-temporal',
      'Nothing of the cloud runs on a vehicle.',
      { path: '^edge-agent/src/' },
      { path: 'node_modules/(@temporalio|@duckdb|fastify)/' },
    ),
    forbid(
      'workflows-imports-only-schemas',
      'Decisions stay apart from what they touch.',
      { path: '^workflows/src/' },
      { path: '^(edge-agent|control-plane|sim|test)/' },
    ),
    forbid(
      'workflows-stays-deterministic',
      'Workflow code is replayed: no Node module gives the same answer twice.',
      { path: '^workflows/src/', pathNot: '\\.test\\.ts$' },
      { dependencyTypes: ['core'] },
    ),
    forbid(
      'workflows-touches-no-server',
      'Decisions stay behind ports.',
      { path: '^workflows/src/', pathNot: '\\.test\\.ts$' },
      { path: 'node_modules/(@nats-io|@duckdb|fastify|pino)/' },
    ),
    forbid(
      'control-plane-imports-schemas-and-workflows',
      'The cloud never links the vehicle.',
      { path: '^control-plane/src/' },
      { path: '^(edge-agent|sim|test)/' },
    ),
    forbid('test-is-not-imported', 'Tests are the end of every chain.', { pathNot: '^test/' }, { path: '^test/' }),
    forbid(
      'packages-are-entered-by-their-exports',
      'A package shows what its exports map names.',
      { path: '^([^/]+)/' },
      {
        path: '^(schemas|edge-agent|workflows|control-plane|sim)/src/',
        pathNot: ['^$1/', '^[^/]+/src/(index|workflows|publish)\\.ts$', '^schemas/src/[^/]+\\.ts$'],
      },
    ),
    forbid(
      'only-composition-roots-import-adapters',
      'Stage code talks to ports.',
      { path: '^(edge-agent|control-plane)/src/', pathNot: COMPOSITION_ROOTS },
      { path: '^(edge-agent|control-plane)/src/adapters/' },
    ),
    forbid(
      'no-cycles',
      'A file can be understood without the files that need it.',
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
    forbid('everything-resolves', 'An import that cannot be found was not checked.', {}, { couldNotResolve: true }),
    forbid(
      'no-undeclared-packages',
      'A package declares what it imports.',
      { path: '/src/', pathNot: TEST_CODE },
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    ),
  ],
  options: {
    parser: 'swc',
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(/gen/|/generated/)' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.mjs', '.js', '.json'],
    },
  },
};
