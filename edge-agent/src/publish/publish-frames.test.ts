/** A stream comes in any pieces, and a length is only a claim. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameSplitter, toFrame } from './publish-frames.ts';

const MAX = 4_096;
const message = fc.uint8Array({ minLength: 1, maxLength: 600 });

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Pieces in a buffer that is used again: what was not copied is overwritten. */
function push(splitter: FrameSplitter, stream: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const found: Uint8Array[] = [];
  const ends = [...cuts.map((cut) => cut % (stream.length + 1)), stream.length].toSorted((a, b) => a - b);
  let start = 0;
  for (const end of ends) {
    const piece = stream.slice(start, end);
    splitter.push(piece, (frame, isOwned) => found.push(isOwned ? frame : frame.slice()));
    piece.fill(0xff);
    start = end;
  }
  return found;
}

describe('FrameSplitter', () => {
  it('finds the same frames in whatever pieces they come', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 40 }), (messages, cuts) => {
        const splitter = new FrameSplitter(MAX);
        const found = push(splitter, join(messages.map(toFrame)), cuts);
        expect(found.map((frame) => [...frame])).toEqual(messages.map((each) => [...each]));
        expect(splitter.isInside).toBe(false);
      }),
    );
  });

  it('says that a frame is not complete', () => {
    const splitter = new FrameSplitter(MAX);
    splitter.push(toFrame(new Uint8Array(10)).subarray(0, 9), () => {});
    expect(splitter.isInside).toBe(true);
  });

  it.each([[0], [MAX + 1], [0xffff_ffff]])('refuses a length of %d before any byte of it is there', (length) => {
    const header = new Uint8Array(4);
    new DataView(header.buffer).setUint32(0, length, true);
    expect(() => new FrameSplitter(MAX).push(header, () => {})).toThrow(
      expect.objectContaining({ code: 'PUBLISH_MALFORMED' }),
    );
  });

  it('takes any bytes without another end than frames or a refusal', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), fc.array(fc.nat(), { maxLength: 5 }), (bytes, cuts) => {
        try {
          for (const frame of push(new FrameSplitter(MAX), bytes, cuts)) expect(frame.length).toBeLessThanOrEqual(MAX);
        } catch (error) {
          expect(error).toMatchObject({ code: 'PUBLISH_MALFORMED' });
        }
      }),
    );
  });
});
