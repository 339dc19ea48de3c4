/** Why: a part of long work is worth its start only when it holds enough; a list is cut by what its items weigh, always alike. */

export type GroupLimits = {
  /** A group takes items until it has so many bytes; an item that has more by itself is a group of its own. */
  readonly bytesMax: number;
  readonly itemsMax: number;
};

/** Cuts a list into runs of neighbours, in its order. The same list and limits give the same groups; none is empty. */
export function groupByBytes<Item extends { readonly sizeBytes: number }>(
  items: readonly Item[],
  { bytesMax, itemsMax }: GroupLimits,
): readonly (readonly Item[])[] {
  const groups: Item[][] = [];
  let open: Item[] = [];
  let sizeBytes = 0;
  for (const item of items) {
    if (open.length > 0 && (open.length >= itemsMax || sizeBytes + item.sizeBytes > bytesMax)) {
      groups.push(open);
      open = [];
      sizeBytes = 0;
    }
    open.push(item);
    sizeBytes += item.sizeBytes;
  }
  if (open.length > 0) groups.push(open);
  return groups;
}
