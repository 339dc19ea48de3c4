/** The machine's two clocks, and the id of its boot. */
import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import type { ClockPair } from '../capture/clock-session.ts';

const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';
const BOOT_ID = /^[0-9a-f-]{36}$/;
const NS_PER_MS = 1_000_000n;

export const machineClocks: ClockPair = {
  monotonicNs: () => process.hrtime.bigint(),
  wallNs: () => BigInt(Date.now()) * NS_PER_MS,
};

/** The kernel's id of this boot; where there is none, one of this process, whose monotonic clock may begin anew. */
export function bootId(): string {
  try {
    const text = readFileSync(BOOT_ID_FILE, 'utf8').trim();
    if (BOOT_ID.test(text)) return text;
  } catch {
    // Not Linux, or a container that hides it.
  }
  return randomUUID();
}
