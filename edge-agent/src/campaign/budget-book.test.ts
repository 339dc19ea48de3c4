/** Sliding budgets against the plain sum, with bounded memory. */
import type { Campaign } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BUDGET_CAMPAIGNS_MAX,
  BUDGET_ENTRIES_MAX,
  type BudgetBook,
  budgetBookFromText,
  budgetBookToText,
  EMPTY_BUDGET_BOOK,
  overBudget,
  withRecording,
} from './budget-book.ts';

const NS_PER_MINUTE = 60_000_000_000n;
const campaign = (budgets: Campaign['budgets']): Campaign => ({ id: 'a', budgets }) as Campaign;

describe('a budget book', () => {
  it('says when the recordings of the last hour or the bytes of the last day are too many', () => {
    const recordings = fc.array(
      fc.record({ afterMinutes: fc.integer({ min: 0, max: 200 }), bytes: fc.integer({ min: 0, max: 500 }) }),
      {
        maxLength: 60,
      },
    );
    fc.assert(
      fc.property(
        recordings,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 3_000 }),
        (list, eventsPerHour, bytesPerDay) => {
          let book: BudgetBook = EMPTY_BUDGET_BOOK;
          let minute = 0;
          const done: { minute: number; bytes: number }[] = [];
          for (const { afterMinutes, bytes } of list) {
            minute += afterMinutes;
            done.push({ minute, bytes });
            book = budgetBookFromText(
              budgetBookToText(withRecording(book, 'a', bytes, BigInt(minute) * NS_PER_MINUTE)),
            );
            const events = done.filter((each) => each.minute > minute - 60).length;
            const sum = done
              .filter((each) => each.minute > minute - 1_440)
              .reduce((total, each) => total + each.bytes, 0);
            const reason = overBudget(book, campaign({ eventsPerHour, bytesPerDay }), BigInt(minute) * NS_PER_MINUTE);
            expect(reason !== undefined).toBe(events >= eventsPerHour || sum >= bytesPerDay);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('remembers a bounded number of recordings and loses no byte by it', () => {
    let book: BudgetBook = EMPTY_BUDGET_BOOK;
    for (let index = 0; index < BUDGET_ENTRIES_MAX + 100; index += 1) book = withRecording(book, 'a', 1, BigInt(index));
    expect(book.get('a')).toHaveLength(BUDGET_ENTRIES_MAX);
    const all = BUDGET_ENTRIES_MAX + 100;
    expect(overBudget(book, campaign({ bytesPerDay: all }), BigInt(all))).toContain(`${all} bytes`);
  });

  it('forgets the campaign that recorded least recently when there are too many', () => {
    let book: BudgetBook = EMPTY_BUDGET_BOOK;
    for (let index = 0; index <= BUDGET_CAMPAIGNS_MAX; index += 1) book = withRecording(book, `c${index}`, 1, 0n);
    expect(book.size).toBe(BUDGET_CAMPAIGNS_MAX);
    expect(book.has('c0')).toBe(false);
    expect(book.has('c1')).toBe(true);
  });
});
