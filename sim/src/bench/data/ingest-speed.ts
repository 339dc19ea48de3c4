/** How fast recordings get from a file, and from vehicles, into the catalogue: verified, held against the standard, and searchable. */
import { createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { readPieces } from '@fleetloop/control-plane';
import { type BenchServers, startBenchServers } from '../bench-servers.ts';
import { cpuSeconds } from '../edge/process-usage.ts';
import type { FigureContext } from '../figure.ts';
import { type Measurement, median } from '../measurement.ts';
import { type StreamedContent, streamedRecording } from './streamed-recording.ts';

const FILES = 4;
const FILE_BYTES = 48 * 1024 * 1024;
/** As `fleetloop import` has them. */
const FILES_AT_ONCE = 2;
const BYTES_PER_MB = 1e6;

/**
 * What the files hold. Signals alone are the most work that a byte can make: each double is a sample of its own to the quality standard.
 * Most bytes of a drive with a camera are pictures, which are hashed and summed but not looked into.
 */
const CONTENTS: readonly StreamedContent[] = ['signals', 'camera and signals'];

/** Files through `POST /v1/imports`. The processor time is the control plane's alone: reader and nats-server have their own. */
export async function measureImport(context: FigureContext): Promise<readonly Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const servers = await startBenchServers(context.signal, resources);
  const rows: Measurement[] = [];
  for (const content of CONTENTS) rows.push(...(await measureContent(servers, context, content)));
  return rows;
}

async function measureContent(
  { api, pid }: BenchServers,
  { repeats, signal, folder, onProgress }: FigureContext,
  content: StreamedContent,
): Promise<readonly Measurement[]> {
  const speeds: number[] = [];
  const costs: number[] = [];
  for (let round = 0; round <= repeats; round += 1) {
    const paths = await writeFiles(folder, round, content);
    const sizeBytes = await totalSize(paths);
    const cpuBefore = await cpuSeconds(pid);
    const startedMs = performance.now();
    const waiting = [...paths];
    const worker = async (): Promise<void> => {
      for (let path = waiting.shift(); path !== undefined; path = waiting.shift())
        await api.postBytes('/v1/imports', readPieces(path), { signal });
    };
    await Promise.all(Array.from({ length: FILES_AT_ONCE }, worker));
    const seconds = (performance.now() - startedMs) / 1_000;
    const cpu = (await cpuSeconds(pid)) - cpuBefore;
    await Promise.all(paths.map(async (path) => rm(path)));
    onProgress(`${content}, round ${round}: ${(sizeBytes / BYTES_PER_MB / seconds).toFixed(0)} MB/s`);
    // The first round warms up.
    if (round === 0) continue;
    speeds.push(sizeBytes / BYTES_PER_MB / seconds);
    costs.push((cpu * 1_000) / (sizeBytes / BYTES_PER_MB));
  }
  const figure = content === 'signals' ? 'import of files' : `import of files with ${content}`;
  return [
    row(`${figure}, verified and catalogued`, 'MB/s', speeds, { atLeast: 150 }),
    row(`${figure}, processor time of the control plane`, 'ms/MB', costs),
  ];
}

async function writeFiles(folder: string, round: number, content: StreamedContent): Promise<readonly string[]> {
  const paths = Array.from({ length: FILES }, (_, index) => join(folder, `${round}-${index}.mcap`));
  for (const path of paths)
    await pipeline(
      Readable.from(streamedRecording(`${content} ${path}`, FILE_BYTES, content)),
      createWriteStream(path),
    );
  return paths;
}

async function totalSize(paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function row(
  figure: string,
  unit: string,
  values: readonly number[],
  target?: NonNullable<Measurement['target']>,
): Measurement {
  const sorted = values.toSorted((left, right) => left - right);
  const spread = { value: median(sorted), min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0, repeats: values.length };
  return { bench: 'data', figure, unit, ...spread, ...(target === undefined ? {} : { target }) };
}
