/** Loads a DBC file together with the files that it imports (`CM_ "IMPORT file";`), relative to its own folder. */
import type { DbcDatabase } from '../can/dbc-database.ts';
import { parseDbc } from '../can/dbc-parser.ts';
import { FleetError } from '../errors/fleet-error.ts';
import type { SourceFiles } from './source-files.ts';

/** Most files that one database may consist of; also ends circles of imports. */
export const DBC_FILES_MAX = 16;
/** Largest DBC file in bytes. */
const DBC_SIZE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * The database and its imports; the file itself first, so that what it declares wins.
 * @throws FleetError `SOURCE_NOT_FOUND`, `SOURCE_LIMIT`, `DBC_INVALID`
 */
export async function loadDbc(path: string, files: SourceFiles): Promise<readonly DbcDatabase[]> {
  const folder = path.slice(0, path.lastIndexOf('/'));
  const queue = [path];
  const databases: DbcDatabase[] = [];
  for (const next of queue) {
    if (databases.length >= DBC_FILES_MAX) {
      throw new FleetError('SOURCE_LIMIT', `${path} imports more than ${DBC_FILES_MAX} files`);
    }
    const database = parseDbc(await readText(next, files), next.slice(next.lastIndexOf('/') + 1));
    databases.push(database);
    for (const name of database.imports) {
      if (!/^[\w.-]+$/.test(name))
        throw new FleetError('DBC_INVALID', `${next} imports "${name}", which is not a plain file name`);
      if (!queue.includes(`${folder}/${name}`)) queue.push(`${folder}/${name}`);
    }
  }
  return databases;
}

async function readText(path: string, files: SourceFiles): Promise<string> {
  const found = await files.findFirst([path]);
  if (found === undefined) throw new FleetError('SOURCE_NOT_FOUND', `DBC file ${path} does not exist`);
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of files.read(found)) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > DBC_SIZE_BYTES_MAX)
      throw new FleetError('SOURCE_LIMIT', `DBC file ${path} is over ${DBC_SIZE_BYTES_MAX} bytes`);
  }
  return text + decoder.decode();
}
