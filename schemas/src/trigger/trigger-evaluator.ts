/**
 * Decides which campaigns fire. A deterministic state machine: time comes only from messages and `tick`, so that a replay decides what
 * the road decided. Equal input gives equal firings.
 */
import type { Channel } from '../capture/channel.ts';
import type { SourceMessage } from '../capture/source-message.ts';
import { CampaignState, type Hold, NO_TIMER_NS } from './campaign-state.ts';
import { ChannelFeed, type Fed } from './channel-feed.ts';
import type { CompiledCampaign } from './compile-campaign.ts';
import { type CampaignExplanation, explainCampaign, statisticsOf, type TriggerStatistics } from './explain.ts';
import { GuardTable, layOut } from './guard-table.ts';
import {
  DisagreementNode,
  type InferenceLike,
  type InputNode,
  makeNode,
  ModelNode,
  NS_PER_MS,
  StalenessNode,
  WindowNode,
} from './input-node.ts';
import { RelativeTime } from './relative-time.ts';
import { SampleLog } from './sample-log.ts';

/** Between messages, conditions that time alone can change are evaluated at multiples of this, on session time. */
export const TIME_STEP_MS = 100;
/** Most such evaluations for one silence; a longer one (100 s) is stepped through more coarsely. */
export const TIME_STEPS_MAX = 1_000;
const STEP_NS = TIME_STEP_MS * NS_PER_MS;
const STEP_NS_INTEGER = BigInt(STEP_NS);

/** A campaign's condition was true at this time of the session. */
export type Firing = { readonly campaign: CompiledCampaign; readonly timeNs: bigint };

export type TriggerEvaluator = {
  /** Replaces the campaigns; one that is unchanged keeps its state, timers and cool-down, a changed one starts anew. */
  readonly setCampaigns: (campaigns: readonly CompiledCampaign[]) => void;
  /** A new session begins: no value of the former one may fire anything. */
  readonly startSession: () => void;
  /** Fires what time made due before this message, and then what the message makes true. */
  readonly push: (message: SourceMessage) => readonly Firing[];
  /** Feeds the inputs of kind `model` and `disagreement`. */
  readonly pushInference: (inference: InferenceLike) => readonly Firing[];
  /** Session time has come to `nowNs`; fires what time alone made due before it. Calling it or not changes no later firing. */
  readonly tick: (nowNs: bigint) => readonly Firing[];
  /** Keeps a campaign from firing, or lets it again (undefined); its condition is followed meanwhile. */
  readonly hold: (campaignId: string, hold: Hold | undefined) => void;
  readonly statistics: () => ReadonlyMap<string, TriggerStatistics>;
  /** Why a campaign did or did not fire; undefined for one that is not here. */
  readonly explain: (campaignId: string) => CampaignExplanation | undefined;
};

const NONE: readonly Firing[] = [];

export function makeTriggerEvaluator(): TriggerEvaluator {
  return new Evaluator();
}

class Evaluator implements TriggerEvaluator {
  #states: readonly CampaignState[] = [];
  #fed: Fed = { states: [], nodes: [], memory: layOut([], []) };
  #timed = new GuardTable([], this.#fed.memory);
  #nodes = new Map<string, InputNode>();
  #logs: readonly SampleLog[] = [];
  readonly #feeds = new Map<Channel, ChannelFeed>();
  /** Session time 0, ns since the Unix epoch, on a multiple of the step; undefined until the session's first time is known. */
  #baseNs: bigint | undefined;
  #relative = new RelativeTime(0n);
  #nowNs = 0;
  #nextStepNs = NO_TIMER_NS;
  /** No timer is due before this. */
  #nextEventNs = NO_TIMER_NS;
  #firings: Firing[] | undefined;

  setCampaigns = (campaigns: readonly CompiledCampaign[]): void => {
    for (const state of this.#states) state.settle();
    for (const log of this.#logs) log.empty();
    const knownStates = new Map(this.#states.map((state) => [state.compiled.key, state]));
    const nodes = new Map<string, InputNode>();
    const fresh = new Set<InputNode>();
    const nodeOf = (input: CompiledCampaign['inputs'][number]): InputNode => {
      let node = nodes.get(input.key) ?? this.#nodes.get(input.key);
      if (node === undefined) fresh.add((node = makeNode(input)));
      nodes.set(input.key, node);
      return node;
    };
    this.#states = campaigns.map((compiled) => {
      const inputNodes = compiled.inputs.map(nodeOf);
      const state = knownStates.get(compiled.key) ?? new CampaignState(compiled, inputNodes);
      state.compiled = compiled;
      return state;
    });
    this.#nodes = nodes;
    this.#logs = joinLogs(nodes.values());
    const memory = layOut(this.#states, nodes.values());
    this.#fed = { states: this.#states, nodes: [...nodes.values()], memory };
    const timed = this.#states.filter((state) => state.isTimed);
    this.#timed = new GuardTable(timed, memory);
    for (const node of fresh) if (node instanceof StalenessNode) node.seenNs = this.#nowNs;
    for (const feed of this.#feeds.values()) feed.bind(this.#fed, fresh);
    if (this.#baseNs !== undefined) this.#setTimes(this.#baseNs);
  };

  startSession = (): void => {
    this.#feeds.clear();
    for (const log of this.#logs) log.forget();
    for (const node of this.#nodes.values()) node.clear();
    for (const state of this.#states) state.startSession();
    this.#baseNs = undefined;
    this.#nowNs = 0;
    this.#nextStepNs = NO_TIMER_NS;
    this.#nextEventNs = NO_TIMER_NS;
  };

  push = (message: SourceMessage): readonly Firing[] => {
    const timeNs = this.#come(message.logTimeNs);
    let feed = this.#feeds.get(message.channel);
    if (feed === undefined) feed = this.#bind(message.channel);
    feed.take(message, timeNs);
    const { table } = feed;
    const { states } = table;
    for (let row = table.next(0, timeNs); row < states.length; row = table.next(row + 1, timeNs)) {
      const state = states[row] as CampaignState;
      if (state.evaluate(timeNs, true)) this.#fire(state, message.logTimeNs);
      if (state.dueNs < this.#nextEventNs) this.#nextEventNs = state.dueNs;
    }
    return this.#taken();
  };

  pushInference = (inference: InferenceLike): readonly Firing[] => {
    const timeNs = this.#come(inference.windowEndNs);
    const taken = new Set<InputNode>();
    for (const node of this.#nodes.values())
      if ((node instanceof ModelNode || node instanceof DisagreementNode) && node.take(inference)) taken.add(node);
    for (const state of this.#states) {
      if (!state.nodes.some((node) => taken.has(node))) continue;
      if (state.evaluate(timeNs, true)) this.#fire(state, inference.windowEndNs);
      if (state.dueNs < this.#nextEventNs) this.#nextEventNs = state.dueNs;
    }
    return this.#taken();
  };

  tick = (nowNs: bigint): readonly Firing[] => {
    this.#come(nowNs);
    return this.#taken();
  };

  hold = (campaignId: string, hold: Hold | undefined): void => {
    for (const state of this.#states) if (state.compiled.campaign.id === campaignId) state.hold = hold;
  };

  statistics = (): ReadonlyMap<string, TriggerStatistics> =>
    new Map(this.#states.map((state) => [state.compiled.campaign.id, statisticsOf(state)]));

  explain = (campaignId: string): CampaignExplanation | undefined => {
    for (const each of this.#states) each.bringWindows();
    const state = this.#states.find((each) => each.compiled.campaign.id === campaignId);
    return state === undefined ? undefined : explainCampaign(state, this.#baseNs, this.#nowNs);
  };

  #bind(channel: Channel): ChannelFeed {
    const feed = new ChannelFeed(channel, this.#fed);
    this.#feeds.set(channel, feed);
    return feed;
  }

  /** Session-relative time of a moment; what was due before it is evaluated first. Time never goes back. */
  #come(momentNs: bigint): number {
    if (this.#baseNs === undefined) {
      this.#baseNs = momentNs - (((momentNs % STEP_NS_INTEGER) + STEP_NS_INTEGER) % STEP_NS_INTEGER);
      this.#relative = new RelativeTime(this.#baseNs);
      this.#setTimes(this.#baseNs);
    }
    const timeNs = this.#relative.of(momentNs);
    if (timeNs > this.#nextEventNs) this.#advance(timeNs);
    if (timeNs >= this.#nowNs) this.#nowNs = timeNs;
    else for (const state of this.#states) state.settle();
    return timeNs;
  }

  /** Campaigns are scheduled on the session's clock. */
  #setTimes(baseNs: bigint): void {
    const relative = (at: string): number => Number(BigInt(Date.parse(at)) * BigInt(NS_PER_MS) - baseNs);
    for (const state of this.#states) {
      const { startsAt, expiresAt, suspended } = state.compiled.campaign;
      state.startsNs = startsAt === undefined ? Number.NEGATIVE_INFINITY : relative(startsAt);
      if (suspended === true) state.startsNs = Number.POSITIVE_INFINITY;
      if (expiresAt !== undefined) state.expiresNs = relative(expiresAt);
    }
    this.#nextStepNs = this.#timed.states.length === 0 ? NO_TIMER_NS : stepAfter(this.#nowNs);
    this.#findNextEvent();
  }

  #advance(untilNs: number): void {
    const silenceNs = untilNs - this.#nowNs;
    const stepNs = STEP_NS * Math.max(1, Math.ceil(silenceNs / (TIME_STEPS_MAX * STEP_NS)));
    while (this.#nextEventNs < untilNs) {
      const atNs = this.#nextEventNs;
      this.#nowNs = atNs;
      const isStep = atNs === this.#nextStepNs;
      let row = isStep ? this.#timed.next(0, atNs) : 0;
      for (const state of this.#states) {
        if (isStep && state.isTimed) {
          if (state !== this.#timed.states[row]) continue;
          row = this.#timed.next(row + 1, atNs);
        } else if (state.dueNs > atNs) continue;
        if (state.evaluate(atNs, false)) this.#fire(state, (this.#baseNs ?? 0n) + BigInt(atNs));
      }
      if (isStep) this.#nextStepNs += stepNs;
      this.#findNextEvent();
    }
    if (this.#nextStepNs !== NO_TIMER_NS) this.#nextStepNs = Math.ceil(untilNs / STEP_NS) * STEP_NS;
    this.#findNextEvent();
  }

  #findNextEvent(): void {
    let nextNs = this.#nextStepNs;
    for (const state of this.#states) if (state.dueNs < nextNs) nextNs = state.dueNs;
    this.#nextEventNs = nextNs;
  }

  #fire(state: CampaignState, timeNs: bigint): void {
    (this.#firings ??= []).push({ campaign: state.compiled, timeNs });
  }

  #taken(): readonly Firing[] {
    const firings = this.#firings ?? NONE;
    this.#firings = undefined;
    return firings;
  }
}

/** Windows over one path in one unit take their samples from one log. */
function joinLogs(nodes: Iterable<InputNode>): readonly SampleLog[] {
  const logs = new Map<string, SampleLog>();
  for (const node of nodes) {
    if (!(node instanceof WindowNode)) continue;
    const key = JSON.stringify([node.declared.path, node.declared.unit]);
    const log = logs.get(key) ?? new SampleLog();
    logs.set(key, log);
    node.join(log);
  }
  return [...logs.values()];
}

function stepAfter(nowNs: number): number {
  return (Math.floor(nowNs / STEP_NS) + 1) * STEP_NS;
}
