import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const PACKAGES = ['schemas', 'edge-agent', 'workflows', 'control-plane', 'sim', 'test'] as const;

let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'fleetloop-architecture-'));
});

afterEach(() => {
  rmSync(tree, { recursive: true, force: true });
});

describe('import rules', () => {
  it('hold in this repository, and every package was looked at', () => {
    const { status, output } = checkArchitecture(ROOT);
    expect(output).toMatch(/[1-9]\d+ modules and [1-9]\d+ imports looked at, 0 problems/);
    expect(status).toBe(0);
  });

  it('fail when there is nothing to look at', () => {
    const { status, output } = checkArchitecture(tree);
    expect(output).toContain('no source file was looked at');
    expect(status).toBe(1);
  });

  it('fail when files are there but no import was seen', () => {
    writeManifests();
    write('schemas/src/index.ts', 'export const one = 1;\n');
    const { status, output } = checkArchitecture(tree);
    expect(output).toContain('no import was looked at');
    expect(status).toBe(1);
  });

  it('pass in a small tree that keeps them', () => {
    writeCleanTree();
    const { status, output } = checkArchitecture(tree);
    expect(output).toContain('0 problems');
    expect(status).toBe(0);
  });

  it.each([
    ['schemas-imports-nothing-of-ours', 'schemas/src/bad.ts', "import '@fleetloop/workflows';\n"],
    ['schemas-has-no-io', 'schemas/src/bad.ts', "import { readFile } from 'node:fs/promises';\nvoid readFile;\n"],
    ['edge-agent-imports-only-schemas', 'edge-agent/src/bad.ts', "import '@fleetloop/control-plane';\n"],
    ['workflows-imports-only-schemas', 'workflows/src/bad.ts', "import '@fleetloop/control-plane';\n"],
    [
      'workflows-stays-deterministic',
      'workflows/src/bad.ts',
      "import { randomUUID } from 'node:crypto';\nvoid randomUUID;\n",
    ],
    ['control-plane-imports-schemas-and-workflows', 'control-plane/src/bad.ts', "import '@fleetloop/edge-agent';\n"],
    ['control-plane-imports-schemas-and-workflows', 'control-plane/src/bad.ts', "import '@fleetloop/sim';\n"],
    ['test-is-not-imported', 'sim/src/bad.ts', "import '../../test/index.ts';\n"],
    ['packages-are-entered-by-their-exports', 'sim/src/bad.ts', "import '../../control-plane/src/ledger/entry.ts';\n"],
    ['only-composition-roots-import-adapters', 'edge-agent/src/spool/bad.ts', "import '../adapters/disk.ts';\n"],
    ['everything-resolves', 'sim/src/bad.ts', "import './missing.ts';\n"],
  ])('%s: an import against it is found in %s', (rule, path, source) => {
    writeCleanTree();
    write(path, source);
    const { status, output } = checkArchitecture(tree);
    expect(output).toContain(`${rule}: ${path}`);
    expect(status).toBe(1);
  });

  it('find an import of types only', () => {
    writeCleanTree();
    write(
      'edge-agent/src/bad.ts',
      "import type { entry } from '@fleetloop/control-plane';\nexport type X = typeof entry;\n",
    );
    expect(checkArchitecture(tree).output).toContain('edge-agent-imports-only-schemas: edge-agent/src/bad.ts');
  });

  it('find an import in a file that has using declarations', () => {
    writeCleanTree();
    const source =
      "import '@fleetloop/sim';\nexport async function run(make: () => AsyncDisposable) {\n  await using it = make();\n  return it;\n}\n";
    write('control-plane/src/bad.ts', source);
    expect(checkArchitecture(tree).output).toContain(
      'control-plane-imports-schemas-and-workflows: control-plane/src/bad.ts',
    );
  });

  it('let a composition root import an adapter', () => {
    writeCleanTree();
    write('edge-agent/src/main.ts', "import './adapters/disk.ts';\n");
    expect(checkArchitecture(tree).status).toBe(0);
  });
});

function checkArchitecture(root: string): { status: number | null; output: string } {
  const script = join(ROOT, 'scripts/architecture.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, root], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

function write(path: string, text: string): void {
  const target = join(tree, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
}

/** Six packages that may see each other, with imports that are allowed. */
function writeCleanTree(): void {
  writeManifests();
  for (const name of PACKAGES) {
    if (name !== 'test') write(`${name}/src/index.ts`, 'export const entry = 1;\n');
  }
  write('test/index.ts', "import '@fleetloop/sim';\n");
  write('control-plane/src/ledger/entry.ts', 'export const entry = 1;\n');
  write('edge-agent/src/adapters/disk.ts', "import '@fleetloop/schemas';\nexport const disk = 1;\n");
}

function writeManifests(): void {
  cpSync(join(ROOT, 'tsconfig.base.json'), join(tree, 'tsconfig.base.json'));
  cpSync(join(ROOT, 'tsconfig.json'), join(tree, 'tsconfig.json'));
  write('package.json', JSON.stringify({ name: 'tree', private: true, type: 'module', workspaces: PACKAGES }));
  mkdirSync(join(tree, 'node_modules/@fleetloop'), { recursive: true });
  for (const name of PACKAGES) {
    const dependencies = Object.fromEntries(PACKAGES.map((other) => [`@fleetloop/${other}`, '0.1.0']));
    const manifest = { name: `@fleetloop/${name}`, type: 'module', exports: { '.': './src/index.ts' }, dependencies };
    write(`${name}/package.json`, JSON.stringify(manifest));
    symlinkSync(join(tree, name), join(tree, 'node_modules/@fleetloop', name));
  }
}
