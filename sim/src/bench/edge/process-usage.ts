/** What a process has used, as the kernel counts it. Linux only. */
import { readFile } from 'node:fs/promises';

/** Of /proc/<pid>/stat; fixed at 100 for all programs on Linux (man 5 proc, `sysconf(_SC_CLK_TCK)`). */
const TICKS_PER_S = 100;
const BYTES_PER_KIB = 1_024;

/** User and system time since its start, s. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name in brackets may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** Resident memory now and at its peak, bytes. */
export async function residentBytes(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const bytes = (key: string): number =>
    Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * BYTES_PER_KIB;
  return { now: bytes('VmRSS'), peak: bytes('VmHWM') };
}
