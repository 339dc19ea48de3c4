/** Disorder of a recorder is repaired within a window, nothing is lost or made up, and a break does not swallow what came before. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OpaqueChannel } from './channel.ts';
import { REORDER_BYTES_MAX, REORDER_MESSAGES_MAX, reorder } from './reorder.ts';
import type { OpaqueMessage, SourceMessage } from './source-message.ts';

const channel: OpaqueChannel = { kind: 'opaque', topic: '/a', schemaName: '' };
const messageAt = (timeNs: number, sequence: number, bytes = 0): OpaqueMessage => ({
  kind: 'opaque',
  channel,
  sequence,
  logTimeNs: BigInt(timeNs),
  publishTimeNs: BigInt(timeNs),
  data: new Uint8Array(bytes),
});

async function* streamOf(
  messages: readonly SourceMessage[],
  error?: Error,
): AsyncGenerator<readonly SourceMessage[], void, undefined> {
  for (let start = 0; start < messages.length; start += 7) yield messages.slice(start, start + 7);
  if (error !== undefined) throw error;
}

async function ordered(messages: readonly SourceMessage[]): Promise<readonly SourceMessage[]> {
  const result: SourceMessage[] = [];
  for await (const batch of reorder(streamOf(messages))) result.push(...batch);
  return result;
}

describe('reorder', () => {
  it('sorts what fits in the window, and keeps the order of equal stamps', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(50), { maxLength: REORDER_MESSAGES_MAX }), async (times) => {
        const messages = times.map((time, index) => messageAt(time, index));
        expect(await ordered(messages)).toEqual(messages.toSorted((a, b) => Number(a.logTimeNs - b.logTimeNs)));
      }),
      { numRuns: 50 },
    );
  });

  it('delivers what lies further back than the window as it comes', async () => {
    const late = messageAt(0, 0);
    const messages = Array.from({ length: 3 * REORDER_MESSAGES_MAX }, (_, index) => messageAt(index + 1, index));
    const result = await ordered([...messages, late]);
    expect(result).toHaveLength(messages.length + 1);
    expect(result.indexOf(late)).toBe(2 * REORDER_MESSAGES_MAX);
  });

  it('holds no more bytes than its maximum', async () => {
    const large = Array.from({ length: 12 }, (_, index) => messageAt(index, index, REORDER_BYTES_MAX / 4));
    let pulled = 0;
    const counted = async function* (): AsyncGenerator<readonly SourceMessage[], void, undefined> {
      for (const message of large) {
        pulled += 1;
        yield [message];
      }
    };
    let given = 0;
    for await (const batch of reorder(counted())) given += batch.length;
    expect([pulled, given]).toEqual([12, 12]);
  });

  it('delivers what came before a break, and then the break', async () => {
    const result: SourceMessage[] = [];
    const read = async (): Promise<void> => {
      for await (const batch of reorder(streamOf([messageAt(2, 0), messageAt(1, 1)], new Error('broken'))))
        result.push(...batch);
    };
    await expect(read()).rejects.toThrow('broken');
    expect(result.map((message) => message.sequence)).toEqual([1, 0]);
  });
});
