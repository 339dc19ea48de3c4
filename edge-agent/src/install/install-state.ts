// Why this file exists: everything the vehicle must remember of its models across a power cut, as one checked document.
import type { ReportedState } from '@fleetloop/schemas';
import { z } from 'zod';

export type SlotName = 'A' | 'B';
export const SLOT_NAMES: readonly SlotName[] = ['A', 'B'];

const Slot = z.strictObject({
  state: z.enum(['empty', 'staged', 'activated', 'confirmed', 'reverted']),
  bundle: z.string().nullable(),
  variant: z.string().nullable(),
  reason: z.string(),
});
export type Slot = z.infer<typeof Slot>;

const Refusal = z.strictObject({ counter: z.int().min(0), code: z.string(), message: z.string() });

export const InstallState = z.strictObject({
  kind: z.literal('install-state'),
  /** Highest director counter accepted, and the digest of that document: the same counter with other content is an attack or a fault. */
  counter: z.int().min(0),
  directorDigest: z.string().nullable(),
  desired: z.strictObject({ bundle: z.string().nullable(), shadow: z.string().nullable() }).nullable(),
  activeSlot: z.enum(['A', 'B']).nullable(),
  slots: z.strictObject({ A: Slot, B: Slot }),
  /** What lies complete in the shadow folder. */
  shadow: z.strictObject({ bundle: z.string(), variant: z.string() }).nullable(),
  refused: Refusal.nullable(),
  /** Installing the bundle of this counter has failed for good; only a newer director document starts again. */
  blockedCounter: z.int().min(0),
  shadowBlockedCounter: z.int().min(0),
  /** Starts of the process since the active slot was activated without being confirmed. */
  unconfirmedStarts: z.int().min(0),
});
export type InstallState = z.infer<typeof InstallState>;

const EMPTY_SLOT: Slot = { state: 'empty', bundle: null, variant: null, reason: '' };

export const INITIAL_STATE: InstallState = {
  kind: 'install-state',
  counter: 0,
  directorDigest: null,
  desired: null,
  activeSlot: null,
  slots: { A: EMPTY_SLOT, B: EMPTY_SLOT },
  shadow: null,
  refused: null,
  blockedCounter: 0,
  shadowBlockedCounter: 0,
  unconfirmedStarts: 0,
};

export const otherSlot = (slot: SlotName): SlotName => (slot === 'A' ? 'B' : 'A');

/** The slot with other contents. */
export function withSlot(state: InstallState, name: SlotName, slot: Partial<Slot>): InstallState {
  return { ...state, slots: { ...state.slots, [name]: { ...state.slots[name], ...slot } } };
}

export function emptySlot(state: InstallState, name: SlotName): InstallState {
  return withSlot(state, name, EMPTY_SLOT);
}

/** What the vehicle tells the cloud. `shadowBundle` names the shadow only while it runs. */
export function toReport(state: InstallState, shadowBundle: string | null): ReportedState['model'] {
  return {
    counter: state.counter,
    activeSlot: state.activeSlot,
    slots: SLOT_NAMES.map((slot) => ({ slot, ...state.slots[slot] })),
    shadowBundle,
    refused: state.refused,
  };
}
