/** Decides for each message which campaigns fire. A deterministic state machine: no clock, random, disk or network of its own. */
import { type SignalChannel, type SourceMessage, unitConversion } from '@fleetloop/schemas';
import { type Inference, Role } from '@fleetloop/schemas/wire';
import type { CompiledCampaign } from './compiled-campaign.ts';

/** Different reasons of failed evaluations that are kept per campaign; the count goes on. */
export const EVALUATION_REASONS_MAX = 8;
const NS_PER_MS = 1_000_000n;

/** A campaign's condition was true at this time of the session. */
export type Firing = { readonly campaign: CompiledCampaign; readonly timeNs: bigint };

/** What became of a campaign's evaluations, for the question "why did it not capture". */
export type TriggerStatistics = {
  readonly evaluations: number;
  readonly fired: number;
  /** Not fired because an input that the condition needs had no value. */
  readonly absent: number;
  readonly suppressedByCooldown: number;
  readonly failed: number;
  readonly failureReasons: readonly string[];
};

export type TriggerEvaluator = {
  /** Replaces the campaigns; one that is unchanged keeps its state, values and cool-down. */
  readonly setCampaigns: (campaigns: readonly CompiledCampaign[]) => void;
  /** A new session begins: no value of the former one may fire anything. */
  readonly startSession: () => void;
  readonly push: (message: SourceMessage) => readonly Firing[];
  /** Feeds the `model` inputs. */
  readonly pushInference: (inference: Inference) => readonly Firing[];
  readonly statistics: () => ReadonlyMap<string, TriggerStatistics>;
};

type Binding = {
  readonly state: CampaignState;
  readonly name: string;
  readonly index: number;
  readonly scale: number;
  readonly offset: number;
};
/** Latest values of each channel seen in this session, so that a campaign that arrives late starts with what is known. */
type LatestValues = Map<SignalChannel, Float64Array>;

/** Changed in place: evaluation runs for every message. */
type CampaignState = {
  readonly compiled: CompiledCampaign;
  variables: Record<string, number | string>;
  quietUntilNs: bigint | undefined;
  evaluations: number;
  fired: number;
  absent: number;
  suppressedByCooldown: number;
  failed: number;
  readonly failureReasons: Set<string>;
};

const NONE: readonly Firing[] = [];

export function makeTriggerEvaluator(): TriggerEvaluator {
  let states: readonly CampaignState[] = [];
  let bindings = new Map<SignalChannel, readonly Binding[]>();
  const latest: LatestValues = new Map();
  const bindingsOf = (channel: SignalChannel): readonly Binding[] => {
    let found = bindings.get(channel);
    if (found === undefined) bindings.set(channel, (found = bindChannel(channel, states)));
    return found;
  };
  return {
    setCampaigns: (campaigns) => {
      const known = new Map(states.map((state) => [state.compiled.key, state]));
      states = campaigns.map((compiled) => known.get(compiled.key) ?? freshState(compiled, latest));
      bindings = new Map();
    },
    startSession: () => {
      latest.clear();
      bindings = new Map();
      for (const state of states) Object.assign(state, { variables: {}, quietUntilNs: undefined });
    },
    push: (message) => {
      if (message.kind !== 'signal') return NONE;
      latest.set(message.channel, message.values);
      const touched = assignValues(bindingsOf(message.channel), message.values);
      return touched.length === 0 ? NONE : evaluateAll(touched, message.logTimeNs);
    },
    pushInference: (inference) => {
      const touched = states.filter((state) => assignInference(state, inference));
      return touched.length === 0 ? NONE : evaluateAll(touched, inference.windowEndNs);
    },
    statistics: () => new Map(states.map((state) => [state.compiled.campaign.id, statisticsOf(state)])),
  };
}

function freshState(compiled: CompiledCampaign, latest: LatestValues): CampaignState {
  const counts = { evaluations: 0, fired: 0, absent: 0, suppressedByCooldown: 0, failed: 0 };
  const state: CampaignState = {
    compiled,
    variables: {},
    quietUntilNs: undefined,
    ...counts,
    failureReasons: new Set(),
  };
  for (const [channel, values] of latest) assignValues(bindChannel(channel, [state]), values);
  return state;
}

function bindChannel(channel: SignalChannel, states: readonly CampaignState[]): readonly Binding[] {
  const bound: Binding[] = [];
  for (const state of states) {
    for (const input of state.compiled.campaign.inputs) {
      const index = input.kind === 'signal' ? channel.signals.findIndex((signal) => signal.path === input.path) : -1;
      const signal = channel.signals[index];
      if (input.kind !== 'signal' || signal === undefined) continue;
      bound.push({ state, name: input.name, index, ...unitConversion(signal.unit, input.unit) });
    }
  }
  return bound;
}

/** Sets the inputs that a message carries. A value that is missing makes its input absent. Returns the campaigns touched. */
function assignValues(bindings: readonly Binding[], values: Float64Array): readonly CampaignState[] {
  const touched: CampaignState[] = [];
  for (const { state, name, index, scale, offset } of bindings) {
    const value = values[index] ?? Number.NaN;
    if (Number.isNaN(value)) delete state.variables[name];
    else state.variables[name] = value * scale + offset;
    if (touched.at(-1) !== state) touched.push(state);
  }
  return touched;
}

function assignInference(state: CampaignState, inference: Inference): boolean {
  let touched = false;
  for (const input of state.compiled.campaign.inputs) {
    if (input.kind !== 'model' || (input.role === 'active' ? Role.ACTIVE : Role.SHADOW) !== inference.role) continue;
    const value = inference[input.field];
    if (typeof value === 'number' && Number.isNaN(value)) delete state.variables[input.name];
    else state.variables[input.name] = value;
    touched = true;
  }
  return touched;
}

function evaluateAll(states: readonly CampaignState[], timeNs: bigint): readonly Firing[] {
  let firings: Firing[] | undefined;
  for (const state of states) {
    if (evaluate(state, timeNs)) (firings ??= []).push({ campaign: state.compiled, timeNs });
  }
  return firings ?? NONE;
}

function evaluate(state: CampaignState, timeNs: bigint): boolean {
  state.evaluations += 1;
  const { campaign, expression } = state.compiled;
  let isTrue = false;
  try {
    isTrue = expression.evaluate(state.variables);
  } catch (error) {
    countFailure(state, error);
  }
  if (!isTrue) return false;
  if (state.quietUntilNs !== undefined && timeNs < state.quietUntilNs) {
    state.suppressedByCooldown += 1;
    return false;
  }
  state.fired += 1;
  state.quietUntilNs = campaign.cooldownMs === 0 ? undefined : timeNs + BigInt(campaign.cooldownMs) * NS_PER_MS;
  return true;
}

/** An evaluation that cannot be finished does not fire: absent inputs are normal, the rest is counted with its reason. */
function countFailure(state: CampaignState, error: unknown): void {
  const isAbsent = state.compiled.campaign.inputs.some((input) => !(input.name in state.variables));
  if (isAbsent) {
    state.absent += 1;
    return;
  }
  state.failed += 1;
  const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  if (state.failureReasons.size < EVALUATION_REASONS_MAX) state.failureReasons.add(reason);
}

function statisticsOf(state: CampaignState): TriggerStatistics {
  const { evaluations, fired, absent, suppressedByCooldown, failed } = state;
  return { evaluations, fired, absent, suppressedByCooldown, failed, failureReasons: [...state.failureReasons] };
}
