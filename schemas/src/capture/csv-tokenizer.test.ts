/** Pieces of a file end anywhere, also inside a quote or between CR and LF; the rows must not depend on it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CSV_ROW_LENGTH_MAX, makeCsvTokenizer } from './csv-tokenizer.ts';

function rowsOf(pieces: readonly string[]): readonly (readonly string[])[] {
  const tokenizer = makeCsvTokenizer('x.csv');
  return [...pieces.flatMap((piece) => tokenizer.push(piece)), ...tokenizer.end()].map((row) => row.cells);
}

const refusal = (code: string) => expect.objectContaining({ code });

describe('makeCsvTokenizer', () => {
  it.each([
    [
      'LF',
      'a,b\n1,2\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'CRLF and a byte order mark',
      '\uFEFFa,b\r\n1,2\r\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'no line end at the end',
      'a,b\n1,2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'quotes with commas, line ends and quotes inside',
      '"a,1","b\n""x"""\n2,\n',
      [
        ['a,1', 'b\n"x"'],
        ['2', ''],
      ],
    ],
    ['an empty file', '', []],
    ['an empty line', 'a,b\n\n1,2\n', [['a', 'b'], [''], ['1', '2']]],
  ])('reads %s', (_what, text, expected) => {
    expect(rowsOf([text])).toEqual(expected);
  });

  it('counts lines, also those inside quotes', () => {
    const tokenizer = makeCsvTokenizer('x.csv');
    expect(tokenizer.push('a\n"b\nc"\nd\n').map((row) => row.line)).toEqual([1, 2, 4]);
  });

  it.each([
    ['a quote inside a plain cell', 'a,b"c\n'],
    ['text after a closing quote', '"a"b,c\n'],
    ['a quote that is never closed', 'a\n"b'],
  ])('refuses %s', (_what, text) => {
    expect(() => rowsOf([text])).toThrow(refusal('SOURCE_ROW_INVALID'));
  });

  it('refuses a row without end before it fills the memory', () => {
    const tokenizer = makeCsvTokenizer('x.csv');
    expect(() => tokenizer.push('1'.repeat(CSV_ROW_LENGTH_MAX + 1))).toThrow(refusal('SOURCE_LIMIT'));
  });

  it('gives the same rows however the text is cut, for any cells', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '1', ',', '"', '\n', '\r', 'é', ' ') });
    fc.assert(
      fc.property(
        fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { maxLength: 5 }),
        fc.array(fc.nat(60)),
        (rows, cuts) => {
          const text = rows
            .map((cells) => `${cells.map((value) => `"${value.replaceAll('"', '""')}"`).join(',')}\r\n`)
            .join('');
          const points = [0, ...cuts.filter((cut) => cut < text.length).toSorted((a, b) => a - b), text.length];
          expect(rowsOf(points.slice(1).map((end, index) => text.slice(points[index], end)))).toEqual(rows);
        },
      ),
    );
  });
});
