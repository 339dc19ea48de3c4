/** Thins out a list that is too long: its first and last entry stay, and what is between them at equal steps. */
export function evenlySpread<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  const stride = (items.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, index) => items[Math.round(index * stride)] as T);
}
