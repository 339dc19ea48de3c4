/** Finds the files of one session: the one given, and beside it every other that the mapping names. */
import { FleetError } from '../errors/fleet-error.ts';
import { fillTemplate, matchTemplate, templateWords } from './name-template.ts';
import type { SourceFiles } from './source-files.ts';
import { splitPath } from './source-name.ts';

/** Ending of compressed files, understood behind every file name. */
const COMPRESSED_ENDING = '.zst';

type Words = Readonly<Record<string, string>>;
export type SessionFile<M> = { readonly path: string; readonly mapping: M };
export type SessionFiles<M> = { readonly opened: readonly SessionFile<M>[]; readonly words: Words };

/** @throws FleetError `SOURCE_NOT_FOUND`, `SOURCE_FORMAT` for a name that the mapping does not know */
export async function findSessionFiles<M extends { readonly name: string }>(
  mapped: readonly M[],
  sourcePath: string,
  files: SourceFiles,
): Promise<SessionFiles<M>> {
  const { folder, name } = splitPath(sourcePath);
  const words = { file: '', ...wordsOf(mapped, name, sourcePath), folder: splitPath(folder).name };
  const opened = await Promise.all(
    mapped.map(async (mapping): Promise<SessionFile<M>> => {
      const isAlone = mapped.length === 1;
      const plain = isAlone ? sourcePath : joinPath(folder, fillTemplate(mapping.name, words));
      const path = await files.findFirst([plain, `${plain}${COMPRESSED_ENDING}`]);
      if (path !== undefined) return { path, mapping };
      throw new FleetError(
        'SOURCE_NOT_FOUND',
        `${plain} does not exist, and no ${plain}${COMPRESSED_ENDING}; the mapping names it`,
      );
    }),
  );
  return { opened, words };
}

function wordsOf(mapped: readonly { readonly name: string }[], name: string, path: string): Words {
  const plainName = name.endsWith(COMPRESSED_ENDING) ? name.slice(0, -COMPRESSED_ENDING.length) : name;
  const file = plainName.replace(/\.[A-Za-z0-9]+$/, '');
  for (const { name: template } of mapped) {
    const words = matchTemplate(template, plainName);
    if (words !== undefined) return { file, ...words };
  }
  const [only, ...others] = mapped;
  // A file that is joined with no other may have any name; the name itself then stands for each word.
  if (only !== undefined && others.length === 0)
    return { file, ...Object.fromEntries(templateWords(only.name).map((word) => [word, file])) };
  const names = mapped.map(({ name: template }) => template).join(', ');
  throw new FleetError('SOURCE_FORMAT', `${path} is not named like a file of the mapping (${names})`);
}

function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
