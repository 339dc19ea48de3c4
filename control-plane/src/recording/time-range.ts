/** `--from` and `--to` of the commands that read messages: log times in ns, or UTC times. */
import { FleetError } from '@fleetloop/schemas';
import type { Command } from 'commander';

export type RangeOptions = { readonly from?: string; readonly to?: string };
export type TimeRange = { readonly fromNs: bigint | undefined; readonly toNs: bigint | undefined };

export function rangeOptions(command: Command): Command {
  return command
    .option('--from <time>', 'messages from this log time on: ns, or an RFC 3339 time')
    .option('--to <time>', 'messages up to this log time');
}

/** @throws FleetError REQUEST_INVALID */
export function parseTimeRange({ from, to }: RangeOptions): TimeRange {
  const range = { fromNs: parseTime('--from', from), toNs: parseTime('--to', to) };
  if (range.fromNs !== undefined && range.toNs !== undefined && range.fromNs > range.toNs)
    throw new FleetError('REQUEST_INVALID', `--from ${from} is later than --to ${to}`);
  return range;
}

const RFC_3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

function parseTime(option: string, text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,20}$/.test(text)) return BigInt(text);
  const [, seconds, fraction = '', zone] = RFC_3339.exec(text) ?? [];
  const ms = Date.parse(`${seconds}${zone}`);
  if (Number.isNaN(ms))
    throw new FleetError('REQUEST_INVALID', `${option} ${text} is neither ns nor a time like 2026-01-31T12:00:00.5Z`);
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
