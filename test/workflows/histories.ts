/** Why: workflows run for days while their code changes; recorded histories show whether the code of today still decides as it did. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ApiClient } from '@fleetloop/control-plane';

export const HISTORIES = join(import.meta.dirname, 'histories');
const SUFFIX = '.json.gz';
/** Where the servers of a test keep their files. */
const WORK_FOLDER = new RegExp(`${tmpdir()}/fleetloop-[\\w-]+`, 'g');

/** Writes the histories of ended workflows, by name, into the folder that FLEETLOOP_RECORD_HISTORIES names; without it, nothing. */
export async function recordHistories(api: ApiClient, workflows: ReadonlyMap<string, string>): Promise<void> {
  const folder = process.env['FLEETLOOP_RECORD_HISTORIES'];
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  for (const [name, workflowId] of workflows) {
    const history = await api.get<unknown>(`/v1/workflows/${workflowId}/history`);
    await writeFile(
      join(folder, `${name}${SUFFIX}`),
      gzipSync(JSON.stringify({ workflowId, history }, withoutMachine)),
    );
  }
}

/** Where the run took place says nothing about the decisions in it. */
function withoutMachine(key: string, value: unknown): unknown {
  if (key === 'stackTrace') return '';
  if (typeof value !== 'string') return value;
  return value.replace(/^\d+@[\w.-]+?(?=-fleetloop|$)/, 'worker').replaceAll(WORK_FOLDER, '/data');
}

export type RecordedHistory = { readonly name: string; readonly workflowId: string; readonly history: unknown };

export async function readHistories(): Promise<readonly RecordedHistory[]> {
  const files = (await readdir(HISTORIES)).filter((file) => file.endsWith(SUFFIX));
  const histories = await Promise.all(
    files.map(async (file) => {
      const recorded = JSON.parse(gunzipSync(await readFile(join(HISTORIES, file))).toString('utf8')) as Omit<
        RecordedHistory,
        'name'
      >;
      return { ...recorded, name: file.slice(0, -SUFFIX.length) };
    }),
  );
  return histories.sort((left, right) => (left.name < right.name ? -1 : 1));
}
