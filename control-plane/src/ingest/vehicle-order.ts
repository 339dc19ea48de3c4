/**
 * Lets chunks of all vehicles pass at once, but holds a manifest back until everything of its vehicle that came before it is
 * done: otherwise it would be answered with chunks missing that are just being stored.
 */
export class VehicleOrder {
  readonly #inWork = new Map<string, Set<Promise<void>>>();

  /** Runs `work` at once, or after all earlier work of the vehicle when `isLast`. `work` must not throw. */
  async run(vehicleId: string, isLast: boolean, work: () => Promise<void>): Promise<void> {
    const earlier = isLast ? [...(this.#inWork.get(vehicleId) ?? [])] : [];
    const done = earlier.length === 0 ? work() : Promise.all(earlier).then(work);
    const set = this.#inWork.get(vehicleId) ?? new Set();
    set.add(done);
    this.#inWork.set(vehicleId, set);
    try {
      await done;
    } finally {
      set.delete(done);
      if (set.size === 0) this.#inWork.delete(vehicleId);
    }
  }
}
