/** The README's map must be the tree: every folder, proto file, subject and workflow it names exists, and none is left out. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { STREAM_SUBJECTS, subjects } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const COLUMNS = ['stage', 'edge-agent', 'control-plane', 'workflows', 'proto', 'subject', 'workflow'] as const;
/** Folders that are not stages: how a package is put together, not what happens to a recording. */
const NOT_STAGES: Readonly<Record<string, readonly string[]>> = {
  'edge-agent': ['adapters', 'agent', 'processes'],
  'control-plane': [
    'adapters',
    'api',
    'blobs',
    'config',
    'console',
    'enrolment',
    'mlflow',
    'processes',
    'projection',
    'workflow',
  ],
  workflows: ['flow'],
};

type Row = Readonly<Record<(typeof COLUMNS)[number], string>>;

function mapRows(): readonly Row[] {
  const lines = README.split('\n');
  const header = lines.findIndex((line) => line.startsWith('| stage |'));
  const cells = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', ''));
  expect(cells(lines[header] ?? '')).toEqual([...COLUMNS]);
  const rows: Row[] = [];
  for (const line of lines.slice(header + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(Object.fromEntries(cells(line).map((cell, index) => [COLUMNS[index], cell])) as Row);
  }
  return rows;
}

const rows = mapRows();
const foldersOf = (name: string): string[] =>
  readdirSync(join(ROOT, name, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);

describe('the map in the README', () => {
  it('has rows', () => {
    expect(rows.length).toBeGreaterThan(15);
  });

  it.each(['edge-agent', 'control-plane', 'workflows'] as const)('names exactly the stage folders of %s', (name) => {
    const named = rows.map((row) => row[name]).filter((cell) => cell !== '–');
    const present = foldersOf(name).filter((folder) => NOT_STAGES[name]?.includes(folder) !== true);
    expect(named.toSorted()).toEqual(present.toSorted());
  });

  it('names proto files that exist, and all of them', () => {
    const named = rows.map((row) => row.proto).filter((cell) => cell !== '–');
    expect(named.toSorted()).toEqual(readdirSync(join(ROOT, 'schemas/proto/fleetloop')).toSorted());
  });

  it('names subjects of the grammar', () => {
    const known = new Set<string>([...Object.values(STREAM_SUBJECTS), subjects.fetchAll, '$KV.desired.*']);
    for (const row of rows) if (row.subject !== '–') expect(known, row.stage).toContain(row.subject);
  });

  it('names workflows that are exported', () => {
    const source = readFileSync(join(ROOT, 'workflows/src/workflows.ts'), 'utf8');
    for (const row of rows)
      if (row.workflow !== '–') expect(source, row.stage).toMatch(new RegExp(`\\b${row.workflow}\\b`));
  });
});

describe('the README', () => {
  it('names only scripts and files that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...README.matchAll(/npm run ([a-z]+)/g)].map((match) => match[1] ?? '');
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect(scripts).toHaveProperty(name);
    for (const path of [
      'docs/error-codes.md',
      'sim/policies/terrain.json',
      'control-plane/trainers/README.md',
      'CONTRIBUTING.md',
    ]) {
      expect(README).toContain(path);
      expect(existsSync(join(ROOT, path)), path).toBe(true);
    }
  });
});
