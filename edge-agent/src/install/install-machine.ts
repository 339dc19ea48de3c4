// Why this file exists: which bundle runs is decided here and nowhere else, by a pure function, so that every order of power cuts,
// failures and new director documents can be tested. The runner stores the new state on disk before it starts any effect.
import { assertNever, type ErrorCode } from '@fleetloop/schemas';
import { emptySlot, type InstallState, otherSlot, SLOT_NAMES, type SlotName, withSlot } from './install-state.ts';

/** Starts of the process that an unconfirmed model gets; after them the vehicle goes back by itself. */
export const UNCONFIRMED_STARTS_MAX = 3;
/** Longest message that is reported. */
const MESSAGE_LENGTH_MAX = 2_000;

export type InstallInput =
  | { readonly kind: 'started' }
  /** A verified director document for this vehicle. */
  | {
      readonly kind: 'directed';
      readonly counter: number;
      readonly digest: string;
      readonly bundle: string | null;
      readonly shadow: string | null;
    }
  /** A director document that is not believed. */
  | { readonly kind: 'refused'; readonly counter: number; readonly code: ErrorCode; readonly message: string }
  | {
      readonly kind: 'staged';
      readonly slot: SlotName;
      readonly bundle: string;
      readonly variant: string;
      readonly reason: string;
    }
  | { readonly kind: 'stage-failed'; readonly bundle: string; readonly code: ErrorCode; readonly message: string }
  /** The bundle of a slot is verified and in memory, ready to take over. */
  | { readonly kind: 'prepared'; readonly slot: SlotName }
  | { readonly kind: 'prepare-failed'; readonly slot: SlotName; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'restore-failed'; readonly slot: SlotName; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'shadow-staged'; readonly bundle: string; readonly variant: string }
  | { readonly kind: 'shadow-failed'; readonly bundle: string; readonly code: ErrorCode; readonly message: string }
  /** The health window of the active slot has ended. */
  | { readonly kind: 'healthy'; readonly bundle: string }
  | { readonly kind: 'unhealthy'; readonly bundle: string; readonly code: ErrorCode; readonly message: string }
  /** Looks again at what is wanted; also after an effect that was given up for a newer document. */
  | { readonly kind: 'continue' };

export type InstallEffect =
  /** Fetch, verify, check and write a bundle into a slot. */
  | { readonly kind: 'stage'; readonly slot: SlotName; readonly bundle: string }
  /** Verify the files of a slot and load them beside the running model. */
  | { readonly kind: 'prepare'; readonly slot: SlotName }
  /** The prepared model becomes the active one. */
  | { readonly kind: 'swap'; readonly slot: SlotName }
  /** Load the active slot, after a start or a revert. */
  | { readonly kind: 'restore'; readonly slot: SlotName }
  | { readonly kind: 'unload' }
  | { readonly kind: 'stage-shadow'; readonly bundle: string }
  | { readonly kind: 'load-shadow' }
  | { readonly kind: 'unload-shadow' };

export type InstallStep = { readonly state: InstallState; readonly effects: readonly InstallEffect[] };

const still = (state: InstallState): InstallStep => ({ state, effects: [] });

export function stepInstall(state: InstallState, input: InstallInput): InstallStep {
  switch (input.kind) {
    case 'started':
      return onStarted(state);
    case 'directed':
      return onDirected(state, input);
    case 'refused':
      return still(refuse(state, input.counter, input));
    case 'staged':
      return onStaged(state, input);
    case 'stage-failed':
      return state.desired?.bundle === input.bundle ? still(block(state, input)) : reconcile(state);
    case 'prepared':
      return onPrepared(state, input.slot);
    case 'prepare-failed':
      return onPrepareFailed(state, input);
    case 'restore-failed':
      return onRestoreFailed(state, input);
    case 'shadow-staged':
      return {
        state: { ...state, shadow: { bundle: input.bundle, variant: input.variant } },
        effects: [{ kind: 'load-shadow' }],
      };
    case 'shadow-failed':
      return still(blockShadow({ ...state, shadow: null }, input));
    case 'healthy':
      return onHealthy(state, input.bundle);
    case 'unhealthy':
      return onUnhealthy(state, input);
    case 'continue':
      return reconcile(state);
    default:
      return assertNever(input);
  }
}

type Failure = { readonly code: ErrorCode; readonly message: string };

function refuse(state: InstallState, counter: number, { code, message }: Failure): InstallState {
  return { ...state, refused: { counter, code, message: message.slice(0, MESSAGE_LENGTH_MAX) } };
}

function block(state: InstallState, failure: Failure): InstallState {
  return { ...refuse(state, state.counter, failure), blockedCounter: state.counter };
}

function blockShadow(state: InstallState, failure: Failure): InstallState {
  return { ...refuse(state, state.counter, failure), shadowBlockedCounter: state.counter };
}

function onStarted(stored: InstallState): InstallStep {
  // A link that was down at the last start may be up now.
  const state =
    stored.refused?.code === 'INSTALL_FETCH' && stored.blockedCounter > 0
      ? { ...stored, blockedCounter: 0, refused: null }
      : stored;
  const slot = state.activeSlot;
  if (slot === null) return reconcile(state);
  const effects: InstallEffect[] = [{ kind: 'restore', slot }];
  if (state.shadow !== null) effects.push({ kind: 'load-shadow' });
  if (state.slots[slot].state !== 'activated') return { state, effects };
  const counted = { ...state, unconfirmedStarts: state.unconfirmedStarts + 1 };
  if (counted.unconfirmedStarts <= UNCONFIRMED_STARTS_MAX) return { state: counted, effects };
  const message = `the process started ${counted.unconfirmedStarts} times before the model was confirmed: it is taken as the cause`;
  return revert(counted, slot, { code: 'INFER_FAILED', message });
}

function onDirected(state: InstallState, input: Extract<InstallInput, { kind: 'directed' }>): InstallStep {
  const isSame = input.counter === state.counter && input.digest === state.directorDigest;
  if (input.counter <= state.counter && !isSame) {
    const message = `director document ${input.counter} is not newer than ${state.counter}, which this vehicle has accepted: send a higher counter`;
    return still(refuse(state, input.counter, { code: 'INSTALL_COUNTER', message }));
  }
  if (isSame) {
    // Told again: a download that failed for the time being starts again, everything else stands.
    const mayRetry = state.blockedCounter === state.counter && state.refused?.code === 'INSTALL_FETCH';
    return reconcile(mayRetry ? { ...state, blockedCounter: 0, refused: null } : state);
  }
  const desired = { bundle: input.bundle, shadow: input.shadow };
  return reconcile({ ...state, counter: input.counter, directorDigest: input.digest, desired, refused: null });
}

/** Decides the next effect that brings the vehicle nearer to what is wanted; none when it is there. */
function reconcile(state: InstallState): InstallStep {
  const { desired } = state;
  if (desired === null) return still(state);
  if (desired.bundle === null)
    return state.activeSlot === null ? reconcileShadow(state) : deactivate(state, state.activeSlot);
  if (state.blockedCounter === state.counter) return reconcileShadow(state);
  const active = state.activeSlot;
  if (active !== null && state.slots[active].bundle === desired.bundle) return reconcileShadow(state);
  const ready = SLOT_NAMES.find((slot) => slot !== active && isReady(state, slot, desired.bundle as string));
  if (ready !== undefined) return { state, effects: [{ kind: 'prepare', slot: ready }] };
  const target = stagingSlot(state);
  if (active !== null && state.slots[active].state === 'activated' && state.slots[target].state === 'confirmed') {
    // The only confirmed model lies where the new one would go: go back to it first, then overwrite the unconfirmed one.
    const reason = 'replaced by a newer document before it was confirmed';
    const former = withSlot({ ...state, activeSlot: target, unconfirmedStarts: 0 }, active, {
      state: 'reverted',
      reason,
    });
    return { state: former, effects: [{ kind: 'restore', slot: target }] };
  }
  // The slot is empty on disk before its folder is touched: a power cut in the middle leaves no half bundle that looks whole.
  return { state: emptySlot(state, target), effects: [{ kind: 'stage', slot: target, bundle: desired.bundle }] };
}

function isReady(state: InstallState, slot: SlotName, bundle: string): boolean {
  const { state: phase, bundle: held } = state.slots[slot];
  return held === bundle && (phase === 'staged' || phase === 'confirmed');
}

function stagingSlot(state: InstallState): SlotName {
  if (state.activeSlot !== null) return otherSlot(state.activeSlot);
  return state.slots.A.state === 'confirmed' ? 'B' : 'A';
}

function deactivate(state: InstallState, slot: SlotName): InstallStep {
  // A model that was never confirmed has to earn its confirmation anew when it is asked for again.
  const kept = state.slots[slot].state === 'activated' ? withSlot(state, slot, { state: 'staged' }) : state;
  return { state: { ...kept, activeSlot: null, unconfirmedStarts: 0 }, effects: [{ kind: 'unload' }] };
}

function reconcileShadow(state: InstallState): InstallStep {
  const wanted = state.desired?.shadow ?? null;
  if (wanted === (state.shadow?.bundle ?? null)) return still(state);
  if (wanted === null) return { state: { ...state, shadow: null }, effects: [{ kind: 'unload-shadow' }] };
  if (state.shadowBlockedCounter === state.counter) return still(state);
  return {
    state: { ...state, shadow: null },
    effects: [{ kind: 'unload-shadow' }, { kind: 'stage-shadow', bundle: wanted }],
  };
}

function onStaged(state: InstallState, input: Extract<InstallInput, { kind: 'staged' }>): InstallStep {
  if (input.slot === state.activeSlot) return reconcile(state);
  const { bundle, variant, reason } = input;
  return reconcile(
    withSlot(state, input.slot, { state: 'staged', bundle, variant, reason: reason.slice(0, MESSAGE_LENGTH_MAX) }),
  );
}

function onPrepared(state: InstallState, slot: SlotName): InstallStep {
  const { bundle, state: phase } = state.slots[slot];
  if (slot === state.activeSlot || bundle === null || bundle !== state.desired?.bundle) return reconcile(state);
  const former = state.activeSlot;
  // An unconfirmed model that is left behind is not a model to come back to.
  const left =
    former !== null && state.slots[former].state === 'activated'
      ? withSlot(state, former, { state: 'reverted', reason: 'left before it was confirmed' })
      : state;
  // A model marked good stays good: going back to it needs no second health window.
  const activated = phase === 'confirmed' ? left : withSlot(left, slot, { state: 'activated' });
  return { state: { ...activated, activeSlot: slot, unconfirmedStarts: 0 }, effects: [{ kind: 'swap', slot }] };
}

function onPrepareFailed(state: InstallState, input: Extract<InstallInput, { kind: 'prepare-failed' }>): InstallStep {
  // Meanwhile active by another way: what runs is not emptied.
  if (input.slot === state.activeSlot) return reconcile(state);
  const wasConfirmed = state.slots[input.slot].state === 'confirmed';
  const emptied = emptySlot(state, input.slot);
  // Files that went bad on disk are fetched again once; a bundle that was just written and does not load is refused.
  return wasConfirmed ? reconcile(emptied) : still(block(emptied, input));
}

function onRestoreFailed(state: InstallState, input: Extract<InstallInput, { kind: 'restore-failed' }>): InstallStep {
  if (state.activeSlot !== input.slot) return still(state);
  if (state.slots[input.slot].state === 'activated') return revert(emptySlot(state, input.slot), input.slot, input);
  return fallBack(emptySlot(state, input.slot), input.slot);
}

function onHealthy(state: InstallState, bundle: string): InstallStep {
  const slot = state.activeSlot;
  if (slot === null || state.slots[slot].state !== 'activated' || state.slots[slot].bundle !== bundle)
    return still(state);
  return still(withSlot({ ...state, unconfirmedStarts: 0 }, slot, { state: 'confirmed' }));
}

function onUnhealthy(state: InstallState, input: Extract<InstallInput, { kind: 'unhealthy' }>): InstallStep {
  const slot = state.activeSlot;
  if (slot === null || state.slots[slot].state !== 'activated' || state.slots[slot].bundle !== input.bundle)
    return still(state);
  return revert(state, slot, input);
}

/** Leaves an unconfirmed slot for good: the director's wish is refused with the reason. */
function revert(state: InstallState, slot: SlotName, failure: Failure): InstallStep {
  const isHeld = state.slots[slot].bundle !== null;
  const marked = isHeld
    ? withSlot(state, slot, { state: 'reverted', reason: failure.message.slice(0, MESSAGE_LENGTH_MAX) })
    : state;
  return fallBack(block(marked, failure), slot);
}

/** Back to the other slot if it was confirmed once, else to no model. */
function fallBack(state: InstallState, slot: SlotName): InstallStep {
  const other = otherSlot(slot);
  if (state.slots[other].state === 'confirmed') {
    return {
      state: { ...state, activeSlot: other, unconfirmedStarts: 0 },
      effects: [{ kind: 'restore', slot: other }],
    };
  }
  return { state: { ...state, activeSlot: null, unconfirmedStarts: 0 }, effects: [{ kind: 'unload' }] };
}
