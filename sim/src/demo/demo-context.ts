/** What every chapter of the demo needs. */
import type { VirtualFleet } from '../world/virtual-fleet.ts';
import type { Narrator } from './narrator.ts';

export type DemoContext = {
  readonly fleet: VirtualFleet;
  readonly narrator: Narrator;
  /** Results folder. */
  readonly folder: string;
  readonly signal: AbortSignal;
};
