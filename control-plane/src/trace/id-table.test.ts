import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ID_BYTES_MAX, IdTable } from './id-table.ts';

/** The bytes of a text somewhere in a larger buffer, as they lie in a page. */
function spanOf(text: string): { bytes: Uint8Array; from: number; to: number } {
  const bytes = Buffer.from(`before${text}behind`, 'utf8');
  return { bytes, from: 6, to: bytes.length - 6 };
}

describe('the ids of the lineage index', () => {
  it('have the numbers that a map would give them, and their texts back', () => {
    const id = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.constantFrom('a', 'b', 'ab', ''));
    fc.assert(
      fc.property(fc.array(id, { maxLength: 200 }), (texts) => {
        const table = new IdTable();
        const numbers = new Map<string, number>();
        for (const text of texts) {
          if (!numbers.has(text)) numbers.set(text, numbers.size);
          expect(table.add(spanOf(text))).toBe(numbers.get(text));
        }
        expect(table.length).toBe(numbers.size);
        for (const [text, number] of numbers) {
          expect(table.find(text)).toBe(number);
          expect(table.text(number)).toBe(text);
        }
        expect(table.find('never added')).toBeUndefined();
      }),
    );
  });

  it('are found again after the table has grown over many chunks and slots', () => {
    const table = new IdTable();
    const idOf = (index: number): string => `recording:sha256:${String(index).padStart(64, '0')}`;
    const count = 30_000;
    for (let index = 0; index < count; index += 1) expect(table.add(spanOf(idOf(index)))).toBe(index);
    const missed = Array.from({ length: count }, (_, index) => index).filter(
      (index) => table.find(idOf(index)) !== index || table.text(index) !== idOf(index),
    );
    expect(missed).toEqual([]);
    expect(table.find(idOf(count))).toBeUndefined();
    expect(table.sizeBytes).toBeGreaterThan(count * 81);
  });

  it('are refused when they are too long, and the table goes on', () => {
    const table = new IdTable();
    const longest = 'x'.repeat(ID_BYTES_MAX);
    expect(() => table.add(spanOf(`${longest}x`))).toThrow(/over 4096/);
    expect(table.find(`${longest}x`)).toBeUndefined();
    expect(table.add(spanOf(longest))).toBe(0);
    expect(table.text(0)).toBe(longest);
    expect(() => table.text(1)).toThrow(/has no id 1/);
  });
});
