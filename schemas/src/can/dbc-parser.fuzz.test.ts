/** A damaged or hostile DBC file ends in a database or in an error with its line, within bounded work. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FleetError } from '../errors/fleet-error.ts';
import { fuzzRuns, mutated } from '../capture/fixtures/fuzz.ts';
import { fixture } from '../capture/fixtures/memory-files.ts';
import { decodeFrame } from './signal-decoder.ts';
import { parseDbc } from './dbc-parser.ts';

const MULTIPLEXED = new TextEncoder().encode(`BO_ 2147484000 M: 16 X
 SG_ A M : 0|4@1+ (1,0) [0|0] "" X
 SG_ B m0M : 7|12@0- (0.5,-1e3) [0|0] "m/s" X
 SG_ C m1 : 16|64@1+ (1,0) [0|0] "" X
 SG_ D m2 : 71|32@0- (1,0) [0|0] "" X
SG_MUL_VAL_ 2147484000 B A 0-0;
SG_MUL_VAL_ 2147484000 C B 1-3, 5-5;
SG_MUL_VAL_ 2147484000 D B 4-4;
SIG_VALTYPE_ 2147484000 D : 1;
CM_ "several
lines";
`);

/** Parses, and decodes a frame of each message when it parses. */
function parseAndDecode(text: string): void {
  try {
    for (const message of parseDbc(text, 'fuzz.dbc').messages)
      for (const value of decodeFrame(message, new Uint8Array(64).fill(0x5a)).values())
        expect(value).toBeTypeOf('number');
  } catch (error) {
    expect(error, error instanceof Error ? error.stack : undefined).toBeInstanceOf(FleetError);
    expect(error).toMatchObject({ code: 'DBC_INVALID', details: { line: expect.any(Number) } });
  }
}

describe('mutated DBC files', () => {
  it.each([
    ['a real one', fixture('mazda_rx8.dbc')],
    ['one with nested multiplexors and floats', MULTIPLEXED],
  ])('end well: %s', (_what, seed) => {
    fc.assert(
      fc.property(mutated(seed), (bytes) => parseAndDecode(new TextDecoder().decode(bytes))),
      fuzzRuns(500),
    );
  });

  it('refuses multiplexors that depend on each other in a circle', () => {
    const text = `BO_ 1 M: 8 X
 SG_ A M : 0|4@1+ (1,0) [0|0] "" X
 SG_ B m0M : 4|4@1+ (1,0) [0|0] "" X
SG_MUL_VAL_ 1 A B 0-0;
SG_MUL_VAL_ 1 B A 0-0;
`;
    expect(() => parseDbc(text)).toThrow(
      expect.objectContaining({ code: 'DBC_INVALID', details: { file: 'dbc', line: 2 } }),
    );
  });

  it.each([
    ['a quoted text over very many lines', `CM_ "${'\n'.repeat(200_000)}";`],
    ['a number of very many digits', `BO_ 1 M: 8 X\n SG_ A : 0|4@1+ (${'1'.repeat(60_000)},0) [0|0] "" X`],
    [
      'very many signals',
      `BO_ 1 M: 8 X\n${Array.from({ length: 20_000 }, (_, index) => ` SG_ S${index} : 0|4@1+ (1,0) [0|0] "" X`).join('\n')}`,
    ],
  ])('reads or refuses %s without a hang', (_what, text) => parseAndDecode(text));
});
