import { describe, expect, it } from 'vitest';
import { FileWritable } from './spool-folder.ts';

describe('writing to a file', () => {
  it('offers the rest again when the system took fewer bytes', async () => {
    const taken: number[] = [];
    const file = {
      write: async (buffer: Uint8Array, offset: number, length: number) => {
        const bytesWritten = Math.min(length, 3);
        taken.push(...buffer.subarray(offset, offset + bytesWritten));
        return { bytesWritten, buffer };
      },
    };
    const writable = new FileWritable(file as unknown as ConstructorParameters<typeof FileWritable>[0]);
    await writable.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7));
    await writable.write(Uint8Array.of(8));
    expect(taken).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(writable.position()).toBe(8n);
  });

  it('fails instead of turning for ever when nothing is taken', async () => {
    const file = { write: async (buffer: Uint8Array) => ({ bytesWritten: 0, buffer }) };
    const writable = new FileWritable(file as unknown as ConstructorParameters<typeof FileWritable>[0]);
    await expect(writable.write(Uint8Array.of(1))).rejects.toThrow('no more bytes');
  });
});
