import { FleetError, type PullRequest } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import type { Explanation, Outcome } from '../spool/spool-entry.ts';
import { PullDesk } from './pull-desk.ts';
import type { RecorderEffect } from './recorder-effects.ts';

const pull = (id: string): PullRequest => ({
  id,
  fromNs: '1',
  toNs: '2',
  priority: 'normal',
  requestedBy: 'an engineer',
  reason: 'looked odd',
});

/** A desk over a recorder that makes one recording of each pull, and a spool that says what the test wants. */
function deskOf({
  ends,
  files = new Map<string, string>(),
}: {
  ends: Map<string, Explanation>;
  files?: Map<string, string>;
}) {
  const claimed: string[] = [];
  const givenUp: string[] = [];
  const desk = new PullDesk({
    claimRange: async ({ id }) => {
      claimed.push(id);
      if (id === 'gone') throw new FleetError('PULL_UNAVAILABLE', 'held is 5 to 9');
      const effect = { kind: 'close', isSettled: true, recording: { id: `ev-${id}` } };
      return [effect as unknown as RecorderEffect];
    },
    keep: async () => {},
    explain: (eventId) => ends.get(eventId) ?? { kind: 'unknown' },
    giveUp: async (eventId) => void givenUp.push(eventId),
    files: {
      readText: async (name) => files.get(name),
      writeText: async (name, text) => void files.set(name, text),
    },
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    onChange: () => {},
  });
  return { desk, claimed, givenUp, files };
}

const QUEUED: Explanation = { kind: 'queued', entry: {} as never };
const ended = (outcome: Outcome['outcome'], reason?: string): Explanation => ({
  kind: 'ended',
  isTold: false,
  outcome: { id: 'ev-a', outcome, ...(reason === undefined ? {} : { code: 'INGEST_LIMIT', reason }) } as Outcome,
});

describe('PullDesk', () => {
  it('captures what is asked for once, over restarts', async () => {
    const ends = new Map<string, Explanation>([['ev-a', QUEUED]]);
    const first = deskOf({ ends });
    first.desk.apply([pull('a')]);
    first.desk.apply([pull('a')]);
    await first.desk.idle();
    const second = deskOf({ ends, files: first.files });
    await second.desk.restore();
    second.desk.apply([pull('a')]);
    await second.desk.idle();
    expect([...first.claimed, ...second.claimed]).toEqual(['a']);
    expect(second.desk.report()).toEqual([{ id: 'a', state: 'captured', eventIds: ['ev-a'] }]);
  });

  it('says what is held when the range is not', async () => {
    const { desk } = deskOf({ ends: new Map() });
    desk.apply([pull('gone')]);
    await desk.idle();
    expect(desk.report()).toMatchObject([{ state: 'unavailable', code: 'PULL_UNAVAILABLE', reason: 'held is 5 to 9' }]);
  });

  it('gives up what waits when it is taken off the list, and nothing that has arrived', async () => {
    const ends = new Map<string, Explanation>([
      ['ev-a', QUEUED],
      ['ev-b', ended('verified')],
    ]);
    const { desk, givenUp } = deskOf({ ends });
    desk.apply([pull('a'), pull('b')]);
    await desk.idle();
    desk.apply([]);
    await desk.idle();
    expect(givenUp).toEqual(['ev-a']);
    expect(desk.report().map(({ state }) => state)).toEqual(['cancelled', 'uploaded']);
  });

  it('ends with its recordings: uploaded, or refused with the reason', async () => {
    const ends = new Map<string, Explanation>([['ev-a', QUEUED]]);
    const { desk } = deskOf({ ends });
    desk.apply([pull('a')]);
    await desk.idle();
    expect(desk.report()[0]?.state).toBe('captured');
    ends.set('ev-a', ended('verified'));
    expect(desk.report()[0]?.state).toBe('uploaded');
    ends.set('ev-a', ended('refused', 'too large'));
    expect(desk.report()[0]).toMatchObject({
      state: 'refused',
      code: 'INGEST_LIMIT',
      reason: 'recording ev-a was refused: too large',
    });
  });

  it('goes on without its memory when that is damaged', async () => {
    const { desk, claimed } = deskOf({ ends: new Map(), files: new Map([['pulls.json', '{"not": "a list"']]) });
    await desk.restore();
    desk.apply([pull('a')]);
    await desk.idle();
    expect(claimed).toEqual(['a']);
  });
});
