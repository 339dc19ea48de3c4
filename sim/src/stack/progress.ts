/** Why: whatever takes longer than two seconds says so, and says that it is still at work. */

/** Receives one line for the person who waits. */
export type Progress = (line: string) => void;

/** Silence that a person accepts before asking whether anything happens. */
const QUIET_MS = 2_000;
const REPEAT_MS = 15_000;

/** Awaits `work`; reports `label` once it takes longer than two seconds, then its duration every 15 s and at its end. */
export async function reportWhile<T>(label: string, work: Promise<T>, onProgress: Progress): Promise<T> {
  const startMs = performance.now();
  const seconds = (): string => `${Math.round((performance.now() - startMs) / 1_000)} s`;
  let hasReported = false;
  let repeat: NodeJS.Timeout | undefined;
  const first = setTimeout(() => {
    hasReported = true;
    onProgress(label);
    repeat = setInterval(() => onProgress(`${label}, ${seconds()} so far`), REPEAT_MS);
  }, QUIET_MS);
  try {
    const result = await work;
    if (hasReported) onProgress(`${label}, done in ${seconds()}`);
    return result;
  } finally {
    clearTimeout(first);
    clearInterval(repeat);
  }
}
