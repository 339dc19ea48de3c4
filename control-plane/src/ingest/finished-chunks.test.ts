/** Late chunks are dropped, wanted ones never: a mistake here is a full disk or an upload that does not end. */
import type { Digest } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { FINISHED_CHUNKS_MAX, FinishedChunks } from './finished-chunks.ts';

const chunk = (index: number): Digest => `sha256:${index.toString(16).padStart(64, '0')}` as Digest;

describe('FinishedChunks', () => {
  it('calls a chunk late once its recording is finished, for its own vehicle only', () => {
    const chunks = new FinishedChunks();
    expect(chunks.isLate('v-1', chunk(1))).toBe(false);
    chunks.finish('v-1', [chunk(1)]);
    expect(chunks.isLate('v-1', chunk(1))).toBe(true);
    expect(chunks.isLate('v-2', chunk(1))).toBe(false);
    expect(chunks.isLate('v-1', undefined)).toBe(false);
  });

  it('lets a finished chunk in while another manifest asks for it', () => {
    const chunks = new FinishedChunks();
    chunks.finish('v-1', [chunk(1), chunk(2)]);
    chunks.want('v-1', [chunk(2), chunk(3)]);
    expect(chunks.isLate('v-1', chunk(1))).toBe(true);
    expect(chunks.isLate('v-1', chunk(2))).toBe(false);
    chunks.finish('v-1', [chunk(2), chunk(3)]);
    expect(chunks.isLate('v-1', chunk(2))).toBe(true);
  });

  it('forgets the oldest over its maximum', () => {
    const chunks = new FinishedChunks();
    chunks.finish(
      'v-1',
      Array.from({ length: FINISHED_CHUNKS_MAX + 1 }, (_, index) => chunk(index)),
    );
    expect(chunks.isLate('v-1', chunk(0))).toBe(false);
    expect(chunks.isLate('v-1', chunk(FINISHED_CHUNKS_MAX))).toBe(true);
  });
});
