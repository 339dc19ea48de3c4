// Why this file exists: the blackbox dataset comes with a list of its events, which is the truth that captured events are
// compared with; it must be read the same way wherever that is done.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RECORDINGS_FOLDER } from './paths.ts';

/** One event of the dataset's own list: |longitudinal| or |lateral| acceleration of 0.35 g or more. */
export type ListedEvent = {
  /** Session of the drive, e.g. `blackbox/drive_01`. */
  readonly session: string;
  /** Number within the drive; numbers do not always start at 1. */
  readonly number: number;
  readonly startTimeNs: bigint;
  /** Time of the last row of the event, inclusive. */
  readonly endTimeNs: bigint;
  readonly category: string;
  readonly peakAxis: string;
  /** Signed peak in g. */
  readonly peakG: number;
};

const HEADER = 'drive,accel_event,start_utc,end_utc,rows,category,peak_axis,peak_signed_g,peak_abs_g';

/** The 48 listed events in the order of the list. */
export function listedEvents(): readonly ListedEvent[] {
  const text = readFileSync(join(RECORDINGS_FOLDER, 'blackbox_drives', 'events.csv'), 'utf8');
  const [header, ...lines] = text.trimEnd().split('\n');
  if (header !== HEADER) throw new Error(`events.csv: unexpected header ${header}`);
  return lines.map((line) => {
    const [drive = '', number = '', start = '', end = '', , category = '', peakAxis = '', peak = ''] = line.split(',');
    return {
      session: `blackbox/drive_${drive.padStart(2, '0')}`,
      number: Number(number),
      startTimeNs: nanoseconds(start, line),
      endTimeNs: nanoseconds(end, line),
      category,
      peakAxis,
      peakG: Number(peak),
    };
  });
}

function nanoseconds(text: string, line: string): bigint {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new Error(`events.csv: no time in ${line}`);
  return BigInt(ms) * 1_000_000n;
}
