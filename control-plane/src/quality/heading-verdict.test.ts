/** What is said of a heading that is wrong in one of the ways in which headings and coordinates go wrong, all along or for a part. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CourseOffset } from './course-offset.ts';
import { headingVerdict, type HeadingVerdict } from './heading-verdict.ts';

const LEGS = 200;
type Change = (degrees: number) => number;
const same: Change = (degrees) => degrees;

/** A drive round a town: `heading` and `course` are what becomes of the true direction from the leg `from` on. */
function verdictOf(
  { heading = same, course = same }: { readonly heading?: Change; readonly course?: Change },
  { from = 0, to = LEGS, winding = 1 } = {},
): HeadingVerdict | undefined {
  const found = new CourseOffset();
  for (let leg = 0; leg < LEGS; leg += 1) {
    const truth = winding * (120 * Math.sin(leg / 12) + leg);
    const isInside = leg >= from && leg < to;
    const shown = isInside ? heading(truth) : truth;
    found.push({
      heading: [shown, shown],
      course: (isInside ? course(truth) : truth) + Math.sin(7 * leg),
      fromNs: leg * 1e9,
      toNs: (leg + 1) * 1e9,
    });
  }
  return headingVerdict(found);
}

const modulo: Change = (degrees) => ((degrees % 360) + 360) % 360;
const radians: Change = (degrees) => (modulo(degrees) * Math.PI) / 180;

describe('the verdict on a heading', () => {
  it('is none where heading and course agree, or too little was driven', () => {
    expect(verdictOf({})).toBeUndefined();
    expect(verdictOf({ heading: (degrees) => degrees + 20 })).toBeUndefined();
    expect(headingVerdict(new CourseOffset())).toBeUndefined();
  });

  it.each([
    ['a quarter turn', { heading: (degrees: number) => degrees + 90 }, 'offset'],
    ['radians', { heading: radians }, 'radians'],
    ['anticlockwise', { heading: (degrees: number) => -degrees }, 'mirrored'],
    ['longitude of the other sign', { course: (degrees: number) => -degrees }, 'mirrored'],
    ['latitude of the other sign', { course: (degrees: number) => 180 - degrees }, 'mirrored'],
    ['coordinates exchanged', { course: (degrees: number) => 90 - degrees }, 'mirrored'],
  ] as const)('names %s', (_name, changes, fault) => {
    expect(verdictOf(changes)).toMatchObject({ fault, isPart: false });
  });

  it('does not call the mirror image of a straight road mirrored', () => {
    expect(verdictOf({ heading: (degrees) => -degrees }, { winding: 0 })).toBeUndefined();
  });

  it('says which part of a drive is wrong, to a few legs', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 120 }),
        fc.constantFrom<Change>(
          (degrees) => degrees + 90,
          (degrees) => degrees + 180,
        ),
        (from, heading) => {
          const verdict = verdictOf({ heading }, { from, to: from + 70 });
          expect(verdict).toMatchObject({ fault: 'offset', isPart: true });
          expect(Math.abs((verdict?.window.fromNs ?? 0) / 1e9 - from)).toBeLessThanOrEqual(12);
          expect(Math.abs((verdict?.window.toNs ?? 0) / 1e9 - from - 70)).toBeLessThanOrEqual(12);
        },
      ),
    );
  });
});
