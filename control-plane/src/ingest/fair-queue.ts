/**
 * Takes turns between vehicles: of what waits in a lane, the next piece is of another vehicle than the one before. One that sends
 * much fills only its own turn. The order of each vehicle is kept.
 */
export class FairQueue<Item> {
  /** Vehicles in the order of their turns; one that was served goes to the end. */
  readonly #waiting = new Map<string, Item[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(vehicleId: string, item: Item): void {
    const items = this.#waiting.get(vehicleId);
    if (items === undefined) this.#waiting.set(vehicleId, [item]);
    else items.push(item);
    this.#size += 1;
  }

  /** The first item of the vehicle whose turn it is, or undefined when nothing waits. */
  shift(): Item | undefined {
    for (const [vehicleId, items] of this.#waiting) {
      const item = items.shift();
      this.#waiting.delete(vehicleId);
      if (items.length > 0) this.#waiting.set(vehicleId, items);
      this.#size -= 1;
      return item;
    }
    return undefined;
  }
}
