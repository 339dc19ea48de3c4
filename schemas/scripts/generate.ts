/** Regenerates what is derived: the protobuf code from proto/, and docs/error-codes.md from the error table. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_TABLE } from '../src/errors/error-codes.ts';

const SCHEMAS = join(import.meta.dirname, '..');
export const ERROR_CODES_FILE = join(SCHEMAS, '../docs/error-codes.md');

/** The text of docs/error-codes.md. */
export function errorCodesMarkdown(): string {
  const rows = Object.entries(ERROR_TABLE).map(
    ([code, { httpStatus, retryable, meaning }]) =>
      `| \`${code}\` | ${httpStatus} | ${retryable ? 'yes' : 'no'} | ${meaning} |`,
  );
  return [
    '# Error codes',
    '',
    'Every failure has one of these codes, in API replies, `--json` output, receipts and ledger facts. *Retry* says whether trying',
    'the same again can help. Generated from `schemas/src/errors/error-codes.ts` by `npm run generate`.',
    '',
    '| code | HTTP | retry | meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

if (import.meta.main) {
  execFileSync('buf', ['generate'], { cwd: SCHEMAS, stdio: 'inherit' });
  writeFileSync(ERROR_CODES_FILE, errorCodesMarkdown());
}
