import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from './merkle-proof.ts';
import { hashLeaf, rootOfLeaves, type TreeHash } from './merkle-tree.ts';

const leavesOf = (count: number): TreeHash[] =>
  Array.from({ length: count }, (_, index) => hashLeaf(Buffer.from(String(index))));
const LEAVES = leavesOf(140);
const subtreeRoot = async (from: number, to: number): Promise<TreeHash> => rootOfLeaves(LEAVES.slice(from, to));
const rootAt = async (size: number): Promise<TreeHash> => subtreeRoot(0, size);
const sizes = fc.integer({ min: 1, max: LEAVES.length });

describe('an inclusion proof', () => {
  it('holds for every leaf of every tree', async () => {
    for (let size = 1; size <= 40; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const proof = await inclusionProof(index, size, subtreeRoot);
        expect(verifyInclusion({ index, size, leaf: LEAVES[index] as TreeHash, root: await rootAt(size), proof })).toBe(
          true,
        );
        expect(proof.length).toBeLessThanOrEqual(Math.ceil(Math.log2(size)));
      }
    }
  });

  it('holds for no other leaf, place, size or root, and not when a hash is altered, missing or added', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, place, other) => {
        const index = place % size;
        const proof = await inclusionProof(index, size, subtreeRoot);
        const claim = { index, size, leaf: LEAVES[index] as TreeHash, root: await rootAt(size), proof };
        expect(verifyInclusion(claim)).toBe(true);
        expect(verifyInclusion({ ...claim, leaf: hashLeaf(Buffer.from('forged')) })).toBe(false);
        expect(verifyInclusion({ ...claim, root: hashLeaf(Buffer.from('forged')) })).toBe(false);
        expect(verifyInclusion({ ...claim, proof: [...proof, claim.root] })).toBe(false);
        const wrongIndex = other % size;
        if (wrongIndex !== index) expect(verifyInclusion({ ...claim, index: wrongIndex })).toBe(false);
        if (proof.length === 0) return;
        const at = other % proof.length;
        expect(verifyInclusion({ ...claim, proof: proof.with(at, hashLeaf(Buffer.from('forged'))) })).toBe(false);
        expect(verifyInclusion({ ...claim, proof: proof.toSpliced(at, 1) })).toBe(false);
      }),
    );
  });

  it.each([
    [-1, 3],
    [3, 3],
    [0, 0],
    [1.5, 3],
    [Number.NaN, 3],
    [0, 2 ** 60],
  ])('is refused for leaf %d of %d', async (index, size) => {
    expect(verifyInclusion({ index, size, leaf: LEAVES[0] as TreeHash, root: LEAVES[0] as TreeHash, proof: [] })).toBe(
      false,
    );
    if (size < 1_000) await expect(inclusionProof(index, size, subtreeRoot)).rejects.toThrow(RangeError);
  });
});

describe('a consistency proof', () => {
  it('holds between every two sizes', async () => {
    for (let size = 0; size <= 33; size += 1) {
      for (let formerSize = 0; formerSize <= size; formerSize += 1) {
        const proof = await consistencyProof(formerSize, size, subtreeRoot);
        expect(
          verifyConsistency({
            formerSize,
            formerRoot: await rootAt(formerSize),
            size,
            root: await rootAt(size),
            proof,
          }),
        ).toBe(true);
      }
    }
  });

  it('does not hold for a history that was altered', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.nat(), async (one, two, place) => {
        const [formerSize, size] = [Math.min(one, two), Math.max(one, two)];
        const forged = LEAVES.with(place % formerSize, hashLeaf(Buffer.from('forged')));
        const forgedRoot = async (from: number, to: number): Promise<TreeHash> => rootOfLeaves(forged.slice(from, to));
        const proof = await consistencyProof(formerSize, size, forgedRoot);
        const claim = {
          formerSize,
          formerRoot: await rootAt(formerSize),
          size,
          root: await forgedRoot(0, size),
          proof,
        };
        expect(verifyConsistency(claim)).toBe(false);
      }),
    );
  });

  it('does not hold when a hash is altered, missing or added', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.nat(), async (one, two, place) => {
        const [formerSize, size] = [Math.min(one, two), Math.max(one, two)];
        const proof = await consistencyProof(formerSize, size, subtreeRoot);
        const claim = { formerSize, formerRoot: await rootAt(formerSize), size, root: await rootAt(size), proof };
        expect(verifyConsistency({ ...claim, proof: [...proof, claim.root] })).toBe(false);
        if (proof.length === 0) return;
        const at = place % proof.length;
        expect(verifyConsistency({ ...claim, proof: proof.with(at, hashLeaf(Buffer.from('forged'))) })).toBe(false);
        expect(verifyConsistency({ ...claim, proof: proof.toSpliced(at, 1) })).toBe(false);
      }),
    );
  });

  it('is refused from a larger tree to a smaller one', async () => {
    await expect(consistencyProof(5, 4, subtreeRoot)).rejects.toThrow(RangeError);
    expect(
      verifyConsistency({ formerSize: 5, formerRoot: await rootAt(5), size: 4, root: await rootAt(4), proof: [] }),
    ).toBe(false);
  });
});
