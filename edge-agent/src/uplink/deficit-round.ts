/**
 * Whose turn it is, by deficit round robin over bytes. Each priority has a share of each round; within a round the more
 * urgent goes first, and one that was idle finds its share untouched, so that an urgent recording starts at the next chunk.
 * When all that wait have used their share the next round begins: nobody waits for more than the shares of the others.
 */
import { PRIORITIES, type Priority } from '@fleetloop/schemas';

export type Shares = Readonly<Record<Priority, number>>;

/** A round that nobody has used. */
export function startRound(quanta: Shares): Shares {
  return { ...quanta };
}

export type Turn = { readonly priority: Priority; readonly round: Shares };

/** The priority whose turn it is, of those that have something to send. A share may be overdrawn by one chunk; the next round pays. */
export function nextTurn(round: Shares, quanta: Shares, isWaiting: (priority: Priority) => boolean): Turn | undefined {
  const waiting = PRIORITIES.filter(isWaiting);
  if (waiting.length === 0) return undefined;
  let open = round;
  // Every quantum is larger than a chunk, so the second look finds one.
  while (!waiting.some((priority) => open[priority] > 0)) open = refill(open, quanta);
  const priority = waiting.find((each) => open[each] > 0);
  return priority === undefined ? undefined : { priority, round: open };
}

/** The round after a priority has sent. */
export function charge(round: Shares, priority: Priority, bytes: number): Shares {
  return { ...round, [priority]: round[priority] - bytes };
}

function refill(round: Shares, quanta: Shares): Shares {
  const share = (priority: Priority): number => Math.min(quanta[priority], round[priority] + quanta[priority]);
  return { safety: share('safety'), normal: share('normal'), bulk: share('bulk') };
}
