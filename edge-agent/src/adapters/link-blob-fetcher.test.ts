import { FleetError, parseVehicleId } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { describe, expect, it } from 'vitest';
import type { LinkReply, VehicleLink } from '../ports.ts';
import { LinkBlobFetcher } from './link-blob-fetcher.ts';
import { systemClock } from './system-clock.ts';

const PIECE = 10;
const blob = Uint8Array.from({ length: 95 }, (_, index) => index);
const digest = digestOfBytes(blob);
const instant = { ...systemClock, wait: async () => {} };

type Answer = (offset: number, request: number) => LinkReply;
const honest: Answer = (offset) => ({
  payload: blob.slice(offset, offset + PIECE),
  headers: { 'Fleet-Size': String(blob.length) },
});

function fetcher(answer: Answer): { readonly fetch: LinkBlobFetcher; readonly offsets: number[] } {
  const offsets: number[] = [];
  const request = async (_: string, payload: Uint8Array): Promise<LinkReply> => {
    const { offset } = JSON.parse(new TextDecoder().decode(payload)) as { offset: number };
    offsets.push(offset);
    return answer(offset, offsets.length);
  };
  const link: Pick<VehicleLink, 'request'> = { request };
  return {
    fetch: new LinkBlobFetcher({ vehicleId: parseVehicleId('v1'), link: link as VehicleLink, clock: instant }),
    offsets,
  };
}

const lose = (): never => {
  throw new FleetError('UPLINK_UNAVAILABLE', 'lost');
};

describe('fetching a blob', () => {
  it('puts the pieces together', async () => {
    expect(await fetcher(honest).fetch.fetch(digest, 1_000)).toEqual(blob);
  });

  it('goes on where the link broke and asks for no byte twice', async () => {
    const { fetch, offsets } = fetcher((offset, request) => (request % 2 === 0 ? lose() : honest(offset, request)));
    expect(await fetch.fetch(digest, 1_000)).toEqual(blob);
    expect(new Set(offsets).size).toBe(10);
  });

  it.each([
    [
      'PACKAGE_DIGEST',
      'other bytes than asked for',
      1_000,
      (offset: number): LinkReply => ({ ...honest(offset, 0), payload: new Uint8Array(PIECE / 2) }),
    ],
    ['PACKAGE_DIGEST', 'more than the bundle allows', 50, honest],
    [
      'BLOB_NOT_FOUND',
      'a refusal',
      1_000,
      (): LinkReply => ({ payload: new Uint8Array(), headers: { 'Fleet-Error': 'BLOB_NOT_FOUND' } }),
    ],
    ['INSTALL_FETCH', 'nothing but losses', 1_000, lose],
    ['INSTALL_FETCH', 'no size', 1_000, (): LinkReply => ({ payload: blob, headers: {} })],
    [
      'INSTALL_FETCH',
      'empty pieces for ever',
      1_000,
      (): LinkReply => ({ payload: new Uint8Array(), headers: { 'Fleet-Size': '95' } }),
    ],
    [
      'INSTALL_FETCH',
      'pieces that are too long',
      1_000,
      (): LinkReply => ({ payload: new Uint8Array(200), headers: { 'Fleet-Size': '95' } }),
    ],
  ])('ends with %s when it gets %s', async (code, _, sizeBytesMax, answer) => {
    await expect(fetcher(answer).fetch.fetch(digest, sizeBytesMax)).rejects.toMatchObject({ code });
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    stop.abort();
    await expect(fetcher(lose).fetch.fetch(digest, 1_000, stop.signal)).rejects.toMatchObject({
      code: 'INSTALL_FETCH',
    });
  });
});
