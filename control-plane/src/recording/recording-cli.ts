/** `fleetloop recording info | verify | salvage | cat | plot`: recordings as files, without any server. */
import { FleetError } from '@fleetloop/schemas';
import { describeRecording, readStoredMessages, salvageRecording, verifyRecording } from '@fleetloop/schemas/recording';
import { Command } from 'commander';
import type { RecordingFile, RecordingIo } from './ports.ts';
import { digestOfFile } from './recording-digest.ts';
import { catText, MessagePrinter, toPlainJson } from './recording-cat.ts';
import { infoText, recordingInfo } from './recording-info.ts';
import { readSeries } from './read-series.ts';
import { plotSvg, SVG_COLUMNS } from './plot-svg.ts';
import { plotText, TEXT_COLUMNS } from './plot-text.ts';
import { salvageText, verdictText } from './report-text.ts';
import { parseTimeRange, rangeOptions, type RangeOptions } from './time-range.ts';

type JsonOption = { readonly json?: true };
const JSON_FLAG = ['--json', 'print it as JSON'] as const;

/** The commands, to be added to `recording`. */
export function recordingFileCommands(io: RecordingIo): readonly Command[] {
  return [infoCommand(io), verifyCommand(io), salvageCommand(io), catCommand(io), plotCommand(io)];
}

function infoCommand(io: RecordingIo): Command {
  return new Command('info')
    .description('say what is in a recording file: times, channels, chunks, attachments, metadata')
    .argument('<file>', 'an MCAP file')
    .option(...JSON_FLAG)
    .action(async (path: string, { json }: JsonOption) => {
      await using file = await io.openRecording(path);
      const info = recordingInfo(path, await describeRecording(file, io.interruption()));
      io.print(json === true ? JSON.stringify(info, null, 2) : infoText(info));
    });
}

type VerifyOptions = JsonOption & { readonly digest?: string };

function verifyCommand(io: RecordingIo): Command {
  return new Command('verify')
    .description('compare every record, CRC, index and statistic of a recording file; exit code 1 if it is not whole')
    .argument('<file>', 'an MCAP file')
    .option('--digest <sha256:…>', 'compare the digest of the whole file too')
    .option(...JSON_FLAG)
    .action(async (path: string, { json, digest }: VerifyOptions) => {
      if (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digest))
        throw new FleetError('REQUEST_INVALID', `--digest ${digest} is not sha256: and 64 hexadecimal digits`);
      await using file = await io.openRecording(path);
      const signal = io.interruption();
      const verdict = await verifyRecording(file, { signal, onProgress: progressOf(io, 'verified', file) });
      const found = digest === undefined ? undefined : await digestOfFile(file, signal);
      const isDigestRight = found === digest;
      const answer = { file: path, ...verdict, isWhole: verdict.isWhole && isDigestRight, digest: found ?? null };
      io.print(json === true ? JSON.stringify(answer, null, 2) : verdictText(answer, digest));
      if (!answer.isWhole) io.answerNo();
    });
}

function salvageCommand(io: RecordingIo): Command {
  return new Command('salvage')
    .description('write what is intact of a damaged recording file to a new one, and say what was lost')
    .argument('<file>', 'a damaged or truncated MCAP file')
    .requiredOption('--out <file>', 'the file to write; it must not exist')
    .option(...JSON_FLAG)
    .action(async (path: string, { out, json }: JsonOption & { readonly out: string }) => {
      await using file = await io.openRecording(path);
      const output = await io.createOutput(out);
      try {
        const onProgress = progressOf(io, 'salvaged', file);
        const report = await salvageRecording(file, output, { signal: io.interruption(), onProgress });
        await output.finish();
        io.print(json === true ? JSON.stringify({ file: path, out, ...report }, null, 2) : salvageText(out, report));
      } catch (error) {
        await output.abandon();
        throw error;
      }
    });
}

type CatOptions = JsonOption & RangeOptions & { readonly topic: readonly string[]; readonly limit?: string };

function catCommand(io: RecordingIo): Command {
  const command = new Command('cat')
    .description('print the messages of a recording file, decoded where the file says how')
    .argument('<file>', 'an MCAP file')
    .option(
      '--topic <topic>',
      'only this topic; may be given again',
      (value: string, former: readonly string[]) => [...former, value],
      [] as readonly string[],
    )
    .option('--limit <number>', 'most messages to print')
    .option('--json', 'one JSON object a line');
  return rangeOptions(command).action(async (path: string, options: CatOptions) => {
    const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : parseLimit(options.limit);
    await using file = await io.openRecording(path);
    const wanted = new Set(options.topic);
    const printer = new MessagePrinter();
    const filter = { ...parseTimeRange(options), wants: (topic: string) => wanted.size === 0 || wanted.has(topic) };
    let printed = 0;
    for await (const batch of readStoredMessages(file, { ...filter, signal: io.interruption() })) {
      for (const message of batch) {
        if (printed >= limit) return;
        const line = printer.line(message);
        await io.printSlowly(options.json === true ? toPlainJson(line) : catText(line));
        printed += 1;
      }
    }
  });
}

type PlotOptions = JsonOption & RangeOptions & { readonly signal: string; readonly out?: string };

function plotCommand(io: RecordingIo): Command {
  const command = new Command('plot')
    .description('draw one signal of a recording file, spikes and gaps included: in the terminal, or as SVG')
    .argument('<file>', 'an MCAP file')
    .requiredOption('--signal <path>', 'a VSS path, or topic:field of messages that the file describes (/imu:accel.x)')
    .option('--out <file>', 'write SVG to this file, which must not exist; - for standard output')
    .option('--json', 'print the columns of the plot as JSON');
  return rangeOptions(command).action(async (path: string, options: PlotOptions) => {
    await using file = await io.openRecording(path);
    const columns = options.out === undefined && options.json !== true ? TEXT_COLUMNS : SVG_COLUMNS;
    const range = parseTimeRange(options);
    const { series, unit } = await readSeries(file, {
      signal: options.signal,
      columns,
      range,
      abort: io.interruption(),
    });
    if (options.json === true) return io.print(toPlainJson({ signal: options.signal, unit, ...series }));
    if (options.out === undefined) return io.print(plotText(options.signal, unit, series));
    const svg = plotSvg(options.signal, unit, series);
    if (options.out === '-') return io.print(svg.trimEnd());
    const output = await io.createOutput(options.out);
    await output
      .write(Buffer.from(svg))
      .catch(async (error: unknown) => output.abandon().then(() => Promise.reject(error)));
    await output.finish();
    io.print(`${options.out}: ${series.values} values`);
  });
}

function parseLimit(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new FleetError('REQUEST_INVALID', `--limit ${text} is not a whole number`);
}

const PROGRESS_BYTES = 256 * 1024 * 1024;

/** A line for each part of a long file. */
function progressOf(io: RecordingIo, done: string, file: RecordingFile): (byte: number) => void {
  let next = PROGRESS_BYTES;
  return (byte) => {
    if (byte < next) return;
    next = byte + PROGRESS_BYTES;
    io.progress(`${done} ${byte} of ${file.sizeBytes} bytes (${Math.floor((100 * byte) / file.sizeBytes)} %)`);
  };
}
