/** Peak resident memory of processes, read from the kernel, so that what we print is what happened. */
import { readFile } from 'node:fs/promises';

const SAMPLE_INTERVAL_MS = 1_000;
const BYTES_PER_KIB = 1_024;

/** Samples the peak RSS of named processes until it is stopped. Linux only; elsewhere it stays empty. */
export class PeakMemory {
  readonly #pids = new Map<string, () => number | undefined>();
  readonly #peaks = new Map<string, number>();
  readonly #timer = setInterval(() => void this.sample(), SAMPLE_INTERVAL_MS).unref();

  watch(name: string, pid: () => number | undefined): void {
    this.#pids.set(name, pid);
  }

  async sample(): Promise<void> {
    await Promise.all(
      [...this.#pids].map(async ([name, pid]) => {
        const bytes = await peakRssBytes(pid());
        if (bytes > (this.#peaks.get(name) ?? 0)) this.#peaks.set(name, bytes);
      }),
    );
  }

  /** Bytes per process name. */
  peaks(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#peaks].sort(([left], [right]) => left.localeCompare(right)));
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** VmHWM of a process in bytes, 0 when it is gone or the machine has no /proc. */
export async function peakRssBytes(pid: number | undefined): Promise<number> {
  if (pid === undefined) return 0;
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? 0 : Number(kib) * BYTES_PER_KIB;
}
