/** DBC files come from suppliers and enthusiasts: what is wrong in them must be found with its line, what is odd must not stop us. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FleetError } from '../errors/fleet-error.ts';
import { indexDbcMessages } from './dbc-database.ts';
import { parseDbc } from './dbc-parser.ts';

const PUBLIC_DBC_FOLDER = fileURLToPath(new URL('../../../../shared/data/dbc_opendbc', import.meta.url));

function refusal(text: string): FleetError {
  try {
    parseDbc(text, 'x.dbc');
  } catch (thrown) {
    if (thrown instanceof FleetError) return thrown;
    throw thrown;
  }
  throw new Error('was accepted');
}

function outcome(text: string): string {
  try {
    parseDbc(text);
    return 'accepted';
  } catch (thrown) {
    return FleetError.from(thrown).code;
  }
}

const message = (signal: string) => `VERSION ""\nBO_ 100 SPEED: 8 NODE\n ${signal}\n`;

describe('parseDbc', () => {
  it('reads messages and signals of both byte orders', () => {
    const text = message('SG_ A : 7|16@0- (0.01,-67.67) [0|250] "km/h" NODE\n SG_ B : 16|8@1+ (1,0) [0|0] "" NODE,YYY');
    const [read] = parseDbc(text).messages;
    expect(read).toMatchObject({ id: 100, isExtended: false, name: 'SPEED', sizeBytes: 8 });
    expect(read?.signals[0]).toMatchObject({
      startBit: 7,
      lengthBits: 16,
      byteOrder: 'big',
      valueKind: 'signed',
      factor: 0.01,
      offset: -67.67,
    });
    expect(read?.signals[1]).toMatchObject({ name: 'B', byteOrder: 'little', valueKind: 'unsigned', unit: '' });
  });

  it('reads extended ids with and without their flag', () => {
    const ids = parseDbc('BO_ 2566844672 A: 8 X\nBO_ 254913108 B: 8 X\n').messages;
    expect(ids.map(({ id, isExtended }) => [id, isExtended])).toEqual([
      [2566844672 - 2 ** 31, true],
      [254913108, true],
    ]);
  });

  it('reads float kinds, multiplexing and extended ranges', () => {
    const text = [
      'BO_ 1 M: 8 X',
      ' SG_ MODE M : 0|8@1+ (1,0) [0|0] "" X',
      ' SG_ F m0 : 8|32@1- (1,0) [0|0] "" X',
      ' SG_ G m1: 8|8@1+ (1,0) [0|0] "" X',
      'SIG_VALTYPE_ 1 F : 1;',
      'SG_MUL_VAL_ 1 G MODE 1-3, 7-7;',
    ].join('\n');
    const [read] = parseDbc(text).messages;
    expect(read?.signals.find((signal) => signal.name === 'MODE')?.isMultiplexor).toBe(true);
    expect(read?.signals.find((signal) => signal.name === 'F')).toMatchObject({
      valueKind: 'float32',
      multiplex: { kind: 'selected', by: 'MODE', ranges: [[0, 0]] },
    });
    expect(read?.signals.find((signal) => signal.name === 'G')?.multiplex).toEqual({
      kind: 'selected',
      by: 'MODE',
      ranges: [
        [1, 3],
        [7, 7],
      ],
    });
  });

  it('takes nothing inside a comment of several lines for a statement', () => {
    const text = 'CM_ BO_ 1 "first line\nBO_ 9 FALSE: 8 X\n SG_ broken";\nBO_ 2 TRUE: 8 X\n';
    expect(parseDbc(text).messages.map(({ name }) => name)).toEqual(['TRUE']);
  });

  it('finds imports, line ends of Windows and a byte order mark', () => {
    const text = '\uFEFFCM_ "IMPORT _base.dbc";\r\nBO_ 2 A: 8 X\r\n SG_ S : 0|8@1+ (1,0) [0|0] "" X\r\n';
    const database = parseDbc(text);
    expect(database.imports).toEqual(['_base.dbc']);
    expect(database.messages[0]?.signals).toHaveLength(1);
  });

  it('leaves out what can be on no bus and says so with the line', () => {
    const database = parseDbc(`${message('SG_ A : 60|8@1+ (1,0) [0|0] "" X')}BO_ 1075054137 B: 8 X\n`);
    expect(database.messages.map(({ name }) => name)).toEqual(['SPEED']);
    expect(database.messages[0]?.signals).toEqual([]);
    expect(database.problems.map(({ line }) => line)).toEqual([3, 4]);
  });

  it.each([
    ['a signal before any message', ' SG_ A : 0|8@1+ (1,0) [0|0] "" X', 1],
    ['a message line without size', 'VERSION ""\nBO_ 5 NAME: X', 2],
    ['a signal without range', message('SG_ A : 0|8@1+ (1,0) "" X'), 3],
    ['a signal with a broken factor', message('SG_ A : 0|8@1+ (1..2,0) [0|0] "" X'), 3],
    ['two messages of one id', 'BO_ 5 A: 8 X\nBO_ 5 B: 8 X', 2],
    ['two signals of one name', message('SG_ A : 0|8@1+ (1,0) [0|0] "" X\n SG_ A : 8|8@1+ (1,0) [0|0] "" X'), 4],
    ['a multiplexed signal without multiplexor', message('SG_ A m2 : 0|8@1+ (1,0) [0|0] "" X'), 3],
    ['a float kind of an unknown signal', 'BO_ 5 A: 8 X\nSIG_VALTYPE_ 5 B : 1;', 2],
    ['a multiplex range that is no range', `${message('SG_ A : 0|8@1+ (1,0) [0|0] "" X')}SG_MUL_VAL_ 100 A A 1to3;`, 4],
    ['a quote that is never closed', 'VERSION ""\nCM_ "open\nBO_ 1 A: 8 X\n', 2],
    ['a message of too many bytes', 'BO_ 5 A: 99999 X', 1],
  ])('refuses %s with its line', (_what, text, line) => {
    const error = refusal(text);
    expect(error.code).toBe('DBC_INVALID');
    expect(error.details).toMatchObject({ file: 'x.dbc', line });
  });

  it('either reads or refuses with a code, whatever the text', () => {
    const word = fc.constantFrom(
      'BO_ ',
      'SG_ ',
      '100',
      ' A',
      ': ',
      '8',
      ' X',
      '\n',
      '0|8@1+',
      ' (1,0)',
      ' [0|1]',
      ' "u"',
      '"',
      'M',
      'm1',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        expect(outcome(words.join(''))).toMatch(/^(accepted|DBC_INVALID)$/);
      }),
    );
  });

  it.skipIf(!existsSync(PUBLIC_DBC_FOLDER))('reads all public files (skipped where ../shared/data is absent)', () => {
    const files = globSync(`${PUBLIC_DBC_FOLDER}/**/*.dbc`);
    const databases = files.map((file) => parseDbc(readFileSync(file, 'utf8'), basename(file)));
    expect(files).toHaveLength(100);
    expect(databases.flatMap((database) => database.messages).length).toBeGreaterThan(2500);
    expect(databases.flatMap((database) => database.problems).length).toBeLessThan(50);
  });
});

describe('indexDbcMessages', () => {
  it('lets the first database win and keeps standard and extended ids apart', () => {
    const own = parseDbc('BO_ 5 OWN: 8 X\nBO_ 2147483653 LONG: 8 X\n');
    const index = indexDbcMessages([own, parseDbc('BO_ 5 IMPORTED: 4 X\n')]);
    expect([...index.values()].map(({ name }) => name)).toEqual(['OWN', 'LONG']);
  });
});
