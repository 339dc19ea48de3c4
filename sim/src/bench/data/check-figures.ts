/** How fast `recording check` reads a file and holds it against the standard, without any server: the most work per byte, a camera, and JSON. */
import { copyFile, stat } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { defaultStandard, diskSourceFiles, RecordingCheck } from '@fleetloop/control-plane';
import { openSource } from '@fleetloop/schemas/source';
import type { Figure, FigureContext } from '../figure.ts';
import { type Measurement, repeat } from '../measurement.ts';
import { streamedRecording } from './streamed-recording.ts';

const FILE_BYTES = 48 * 1024 * 1024;
/** Three seconds of a car at full rate, as JSON: small, so it is read many times over. */
const JSON_RECORDING = join(import.meta.dirname, '../../../../schemas/src/capture/fixtures/comma_lz4.mcap');
const JSON_READS = 16;

/** A file that is read so often in one measurement. */
type CheckedFile = { readonly content: string; readonly path: string; readonly reads: number };

export const checkFigures: readonly Figure[] = [{ name: 'recording-check', run: measureChecks }];

async function measureChecks(context: FigureContext): Promise<readonly Measurement[]> {
  const rows: Measurement[] = [];
  for (const content of ['signals', 'camera and signals'] as const) {
    const path = join(context.folder, `${content}.mcap`);
    await pipeline(Readable.from(streamedRecording(content, FILE_BYTES, content)), createWriteStream(path));
    rows.push(...(await measureFile(context, { content, path, reads: 1 })));
  }
  const json = join(context.folder, 'json.mcap');
  await copyFile(JSON_RECORDING, json);
  return [
    ...rows,
    ...(await measureFile(context, { content: 'JSON and CAN of a car', path: json, reads: JSON_READS })),
  ];
}

async function measureFile(
  { repeats, signal, onProgress }: FigureContext,
  { content, path, reads }: CheckedFile,
): Promise<readonly Measurement[]> {
  const megabytes = (reads * (await stat(path)).size) / 1e6;
  let messages = 0;
  const seconds = await repeat(repeats, async () => {
    signal.throwIfAborted();
    const startedMs = performance.now();
    messages = 0;
    for (let read = 0; read < reads; read += 1) messages += await checkOnce(path, signal);
    return (performance.now() - startedMs) / 1_000;
  });
  onProgress(`${content}: ${(megabytes / seconds.value).toFixed(0)} MB/s`);
  const rate = (amount: number, unit: string): Measurement => ({
    bench: 'data',
    figure: `recording check, ${content}`,
    unit,
    value: amount / seconds.value,
    min: amount / seconds.max,
    max: amount / seconds.min,
    repeats: seconds.repeats,
  });
  return [rate(megabytes, 'MB/s'), rate(messages, 'messages/s')];
}

async function checkOnce(path: string, signal: AbortSignal): Promise<number> {
  const check = new RecordingCheck(defaultStandard());
  const source = await openSource({ sourcePath: path, files: diskSourceFiles, signal });
  let messages = 0;
  for await (const batch of source.batches()) {
    for (const message of batch) check.push(message);
    messages += batch.length;
  }
  check.finish({ declared: source.description.channels });
  return messages;
}
