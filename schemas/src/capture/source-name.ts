/** Names of a session: from the mapping's templates, the name of the file, and whatever the file says of itself. */
import { fillTemplate, matchTemplate } from './name-template.ts';
import type { SessionMapping } from './mapping-formats.ts';

type Words = Readonly<Record<string, string>>;

/** The folder and last part of a path; the folder of a bare name is empty. */
export function splitPath(path: string): { readonly folder: string; readonly name: string } {
  const at = path.lastIndexOf('/');
  return at === -1 ? { folder: '', name: path } : { folder: path.slice(0, at) || '/', name: path.slice(at + 1) };
}

/** The name of a file without its ending, and without the one of its compression. */
export function stemOf(name: string): string {
  return name.replace(/\.zst$/, '').replace(/\.[A-Za-z0-9]+$/, '');
}

/** What a file tells of its session by its place and name; `fileName` is the template of the mapping, if it has one. */
export function wordsOfPath(path: string, fileName?: string): Words {
  const { folder, name } = splitPath(path);
  const own = fileName === undefined ? {} : (matchTemplate(fileName, name.replace(/\.zst$/, '')) ?? {});
  return { ...own, file: stemOf(name), folder: splitPath(folder).name };
}

export type SessionName = { readonly session: string; readonly attributes: Readonly<Record<string, string>> };

/** The mapping's name and attributes, filled in; what it leaves open is taken from `found`. */
export function nameSession(mapping: SessionMapping | undefined, words: Words, found: SessionName): SessionName {
  if (mapping === undefined) return found;
  const declared = Object.entries(mapping.attributes).map(([key, value]) => [key, fillTemplate(value, words)]);
  return {
    session: fillTemplate(mapping.name, words),
    attributes: { ...found.attributes, ...Object.fromEntries(declared) },
  };
}
