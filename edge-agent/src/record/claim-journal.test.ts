import { describe, expect, it } from 'vitest';
import { type MemoryDisk, memoryDisk } from '../adapters/memory-disk.ts';
import { ClaimJournal, JOURNAL_NAME } from './claim-journal.ts';
import { type JournalLine, toJournalText } from './claim-lines.ts';

const ROOT = '/ring';
const PATH = `${ROOT}/${JOURNAL_NAME}`;
const RETRY_MS = 2_000;
const noSpace = (): NodeJS.ErrnoException => Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });

function claim(second: number): JournalLine {
  const timeNs = BigInt(second) * 1_000_000_000n;
  const campaign = { id: 'a', priority: 'safety' } as const;
  return { kind: 'claim', session: 's', campaign, timeNs, startNs: timeNs - 1n, endNs: timeNs + 1n, eventNsMax: 9n };
}

class Bench {
  readonly errors: unknown[] = [];
  nowMs = 0;
  readonly disk: MemoryDisk;
  readonly journal: ClaimJournal;

  constructor(disk = memoryDisk()) {
    this.disk = disk;
    this.journal = new ClaimJournal({
      disk,
      root: ROOT,
      clock: { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs, wait: async () => {}, random: () => 0 },
      retryMs: RETRY_MS,
      onError: (error) => this.errors.push(error),
    });
  }

  async append(line: JournalLine): Promise<void> {
    this.journal.append(line);
    await this.journal.idle();
  }
  async wake(): Promise<void> {
    this.journal.wake();
    await this.journal.idle();
  }
}

describe('the journal of claims on a full disk', () => {
  it('keeps what it cannot write, and writes it when the disk is asked again', async () => {
    const bench = new Bench();
    const { disk, journal } = bench;
    await journal.begin([]);
    disk.failWrites = noSpace();
    await bench.append(claim(1));
    disk.failWrites = undefined;
    await bench.append(claim(2));
    expect(journal.waiting).toBe(2);
    expect(bench.errors).toHaveLength(1);
    bench.nowMs += RETRY_MS;
    await bench.wake();
    expect(journal.waiting).toBe(0);
    expect(await ClaimJournal.read(disk, ROOT)).toEqual({ lines: [claim(1), claim(2)], damaged: 0 });
  });

  it('loses only the line that was written in part', async () => {
    const bench = new Bench();
    const { disk } = bench;
    await bench.journal.begin([claim(1)]);
    disk.failWrites = noSpace();
    await bench.append(claim(2));
    disk.files.set(PATH, Buffer.concat([disk.files.get(PATH) ?? new Uint8Array(), Buffer.from('0badcafe {"kind"')]));
    disk.failWrites = undefined;
    bench.nowMs += RETRY_MS;
    await bench.wake();
    expect(await ClaimJournal.read(disk, ROOT)).toEqual({ lines: [claim(1), claim(2)], damaged: 1 });
  });

  it('reads a line once that was written again, since a failed write had left it whole', async () => {
    const bench = new Bench();
    const { disk } = bench;
    await bench.journal.begin([claim(1)]);
    disk.files.set(
      PATH,
      Buffer.concat([disk.files.get(PATH) ?? new Uint8Array(), Buffer.from(toJournalText(claim(2)))]),
    );
    await bench.append(claim(2));
    expect(await ClaimJournal.read(disk, ROOT)).toEqual({ lines: [claim(1), claim(2)], damaged: 0 });
  });

  it('begins with the longer file when there is no room for a shorter one', async () => {
    const first = new Bench();
    await first.journal.begin([claim(1), claim(2)]);
    const bench = new Bench(first.disk);
    const { lines } = await ClaimJournal.read(bench.disk, ROOT);
    bench.disk.failWrites = noSpace();
    await bench.journal.begin(lines);
    expect(bench.errors).toHaveLength(1);
    bench.disk.failWrites = undefined;
    await bench.append(claim(3));
    expect(await ClaimJournal.read(bench.disk, ROOT)).toEqual({ lines: [claim(1), claim(2), claim(3)], damaged: 0 });
  });
});
