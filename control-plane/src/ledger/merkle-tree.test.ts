import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CompactRange, EMPTY_ROOT, hashLeaf, hashNode, rootOfLeaves } from './merkle-tree.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The leaves of the test tree that Certificate Transparency implementations share. */
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(
  (text) => Buffer.from(text, 'hex'),
);

/** Roots over the first n of those leaves, as other implementations publish them. */
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** MTH of RFC 6962 §2.1 word by word. */
function rootByDefinition(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return createHash('sha256').digest();
  const [only] = leaves;
  if (leaves.length === 1 && only !== undefined)
    return createHash('sha256')
      .update(Buffer.concat([Uint8Array.of(0), only]))
      .digest();
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [rootByDefinition(leaves.slice(0, split)), rootByDefinition(leaves.slice(split))];
  return createHash('sha256')
    .update(Buffer.concat([Uint8Array.of(1), left, right]))
    .digest();
}

describe('the Merkle tree', () => {
  it('has the published roots of the Certificate Transparency test tree', () => {
    const range = new CompactRange();
    expect(hex(range.root())).toBe(ROOTS[0]);
    for (const [index, leaf] of LEAVES.entries()) {
      range.append(hashLeaf(leaf));
      expect(hex(range.root())).toBe(ROOTS[index + 1]);
    }
  });

  it('has the hash of nothing as the root of no leaves', () => {
    expect(hex(EMPTY_ROOT)).toBe(createHash('sha256').update('').digest('hex'));
  });

  it('equals the recursive definition at every size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 8 }), { maxLength: 70 }), async (leaves) => {
        expect(hex(await rootOfLeaves(leaves.map(hashLeaf)))).toBe(hex(rootByDefinition(leaves)));
      }),
    );
  });

  it('tells a leaf from an inner node with the same bytes', () => {
    const [left, right] = [hashLeaf(Buffer.from('a')), hashLeaf(Buffer.from('b'))];
    expect(hex(hashLeaf(Buffer.concat([left, right])))).not.toBe(hex(hashNode(left, right)));
  });
});
