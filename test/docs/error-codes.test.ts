/** The table of error codes, its documentation and its use in the code hold together. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_TABLE } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES_FILE, errorCodesMarkdown } from '../../schemas/scripts/generate.ts';

const ROOT = join(import.meta.dirname, '../..');

function sources(): string {
  const folders = ['schemas/src', 'edge-agent/src', 'workflows/src', 'control-plane/src', 'sim/src'];
  const files = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.endsWith('error-codes.ts'))
      .map((name) => join(ROOT, folder, name)),
  );
  expect(files.length).toBeGreaterThan(50);
  return files.map((file) => readFileSync(file, 'utf8')).join('\n');
}

describe('error codes', () => {
  it('are documented as they are', () => {
    expect(readFileSync(ERROR_CODES_FILE, 'utf8')).toBe(errorCodesMarkdown());
  });

  it('are all used', () => {
    const text = sources();
    expect(Object.keys(ERROR_TABLE).filter((code) => !text.includes(`'${code}'`))).toEqual([]);
  });

  it('read STAGE_WHAT', () => {
    for (const code of Object.keys(ERROR_TABLE)) expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  });
});
