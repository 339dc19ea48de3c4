import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from './merkle-proof.ts';
import { hashLeaf, rootOfLeaves, type TreeHash } from './merkle-tree.ts';
import { TiledTree } from './tiled-tree.ts';

/** Over 256² leaves, so that there are tiles of two levels and a ragged edge. */
const COUNT = 66_000;
const LEAVES = Array.from({ length: COUNT }, (_, index) => hashLeaf(Buffer.from(`entry ${index}`)));
let read = 0;

async function* leaves(from: number, to: number): AsyncIterable<TreeHash> {
  read += to - from;
  yield* LEAVES.slice(from, to);
}

const tree = new TiledTree(leaves);
for (const leaf of LEAVES) tree.append(leaf);
const size = fc.oneof(
  fc.integer({ min: 1, max: COUNT }),
  fc.constantFrom(1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, COUNT),
);

describe('the tiled tree', () => {
  it('has the root of all its leaves', async () => {
    expect(tree.root()).toEqual(await rootOfLeaves(LEAVES));
  });

  it('proves that any leaf is in the tree of any size, from few hashes', async () => {
    await fc.assert(
      fc.asyncProperty(size, fc.nat(), async (of, place) => {
        const index = place % of;
        read = 0;
        const proof = await inclusionProof(index, of, async (from, to) => tree.subtreeRoot(from, to));
        expect(read).toBeLessThan(1_024);
        const root = await tree.subtreeRoot(0, of);
        expect(verifyInclusion({ index, size: of, leaf: LEAVES[index] as TreeHash, root, proof })).toBe(true);
      }),
    );
  });

  it('gives the roots that walking over the leaves gives', async () => {
    await fc.assert(
      fc.asyncProperty(size, async (of) => {
        expect(await tree.subtreeRoot(0, of)).toEqual(await rootOfLeaves(LEAVES.slice(0, of)));
      }),
      { numRuns: 20 },
    );
  });

  it('proves that any tree has grown out of any smaller one', async () => {
    await fc.assert(
      fc.asyncProperty(size, size, async (one, two) => {
        const [former, later] = [Math.min(one, two), Math.max(one, two)];
        read = 0;
        const proof = await consistencyProof(former, later, async (from, to) => tree.subtreeRoot(from, to));
        expect(read).toBeLessThan(1_024);
        const [formerRoot, root] = [await tree.subtreeRoot(0, former), await tree.subtreeRoot(0, later)];
        expect(verifyConsistency({ formerSize: former, formerRoot, size: later, root, proof })).toBe(true);
      }),
    );
  });
});
