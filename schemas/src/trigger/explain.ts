/** Why a campaign did or did not fire: the last evaluation, what its operands are, and what keeps it quiet. */
import type { CampaignState } from './campaign-state.ts';
import { OUTCOME } from './compiled-test.ts';
import { WindowNode } from './input-node.ts';
import { isAbsent, type NamedOperand, valueOf } from './operand.ts';

export type TriggerStatistics = {
  readonly evaluations: number;
  readonly fired: number;
  /** Not fired because an input that the condition needs had no value. */
  readonly absent: number;
  readonly suppressedByCooldown: number;
  readonly suppressedByBudget: number;
  readonly failed: number;
  readonly failureReasons: readonly string[];
};

/** What keeps a campaign from firing now, the outermost reason first. Times are ns since the Unix epoch on the session's clock. */
export type Suppression =
  | { readonly by: 'suspended' }
  | { readonly by: 'not-started'; readonly untilNs: bigint }
  | { readonly by: 'expired'; readonly atNs: bigint }
  | { readonly by: 'operator' | 'budget'; readonly reason: string }
  | { readonly by: 'cooldown'; readonly untilNs: bigint }
  | { readonly by: 'duration'; readonly sinceNs: bigint; readonly untilNs: bigint }
  | { readonly by: 'hysteresis'; readonly releaseCondition: string }
  | { readonly by: 'edge' };

export type OperandExplanation = {
  readonly name: string;
  readonly kind: string;
  /** Of the signal that it is read from, where there is one. */
  readonly path?: string;
  /** Null while absent. */
  readonly value: number | boolean | string | null;
  readonly unit?: string;
  readonly window?: {
    readonly samples: number;
    readonly fromNs?: bigint;
    readonly toNs?: bigint;
    readonly resolutionMs: number;
  };
};

export type CampaignExplanation = {
  readonly campaignId: string;
  readonly version: number;
  readonly condition: string;
  /** Absent before the first one of the session. */
  readonly lastEvaluation?: {
    readonly timeNs: bigint;
    readonly outcome: 'true' | 'false' | 'absent' | 'failed';
  };
  readonly lastFiredNs?: bigint;
  /** The values as they stand now: those of the last evaluation, brought to the present where time changes them. */
  readonly operands: readonly OperandExplanation[];
  readonly absent: readonly string[];
  readonly suppressedBy: readonly Suppression[];
  readonly statistics: TriggerStatistics;
};

const OUTCOME_NAMES = ['false', 'true', 'absent', 'failed'] as const;
const NS_PER_MS = 1e6;

export function statisticsOf({ cells, counts, failureReasons }: CampaignState): TriggerStatistics {
  return { evaluations: cells.evaluations, ...counts, failureReasons: [...failureReasons] };
}

export function explainCampaign(state: CampaignState, baseNs: bigint | undefined, nowNs: number): CampaignExplanation {
  const { campaign } = state.compiled;
  const absolute = (timeNs: number): bigint => (baseNs ?? 0n) + BigInt(Math.round(timeNs));
  const evaluated = Number.isNaN(state.cells.lastNs)
    ? {}
    : { lastEvaluation: { timeNs: absolute(state.cells.lastNs), outcome: OUTCOME_NAMES[state.cells.lastOutcome] } };
  return {
    campaignId: campaign.id,
    version: campaign.version,
    condition: campaign.condition,
    ...evaluated,
    ...(Number.isNaN(state.lastFiredNs) ? {} : { lastFiredNs: absolute(state.lastFiredNs) }),
    operands: state.operands.map((named, index) => explainOperand(state, named, index, absolute)),
    absent: state.operands.filter(({ operand }) => isAbsent(operand)).map(({ name }) => name),
    suppressedBy: suppressionsOf(state, nowNs, absolute),
    statistics: statisticsOf(state),
  };
}

function explainOperand(
  state: CampaignState,
  named: NamedOperand,
  index: number,
  absolute: (timeNs: number) => bigint,
): OperandExplanation {
  const input = state.compiled.inputs[index];
  const node = state.nodes[index];
  const declared = input?.declared;
  const path = declared !== undefined && 'path' in declared ? declared.path : undefined;
  const plain = {
    name: named.name,
    kind: declared?.kind ?? '',
    ...(path === undefined ? {} : { path }),
    value: valueOf(named) ?? null,
    ...(input?.unit === undefined ? {} : { unit: input.unit }),
  };
  if (!(node instanceof WindowNode)) return plain;
  const { samples, fromNs, toNs, resolutionNs } = node.window.contents();
  const window = {
    samples,
    ...(fromNs === undefined || toNs === undefined ? {} : { fromNs: absolute(fromNs), toNs: absolute(toNs) }),
    resolutionMs: resolutionNs / NS_PER_MS,
  };
  return { ...plain, window };
}

function suppressionsOf(
  state: CampaignState,
  nowNs: number,
  absolute: (timeNs: number) => bigint,
): readonly Suppression[] {
  const { campaign } = state.compiled;
  const found: Suppression[] = [];
  if (campaign.suspended === true) found.push({ by: 'suspended' });
  else if (nowNs < state.startsNs) found.push({ by: 'not-started', untilNs: absolute(state.startsNs) });
  if (nowNs >= state.expiresNs) found.push({ by: 'expired', atNs: absolute(state.expiresNs) });
  if (state.hold !== undefined) found.push(state.hold);
  if (nowNs < state.quietUntilNs) found.push({ by: 'cooldown', untilNs: absolute(state.quietUntilNs) });
  const isWaiting = !state.isHolding && state.cells.lastOutcome === OUTCOME.true && Number.isFinite(state.dueNs);
  if (isWaiting) found.push({ by: 'duration', sinceNs: absolute(state.sinceNs), untilNs: absolute(state.dueNs) });
  if (!state.isHolding || campaign.edge !== 'rising') return found;
  const releaseCondition = campaign.hysteresis?.releaseCondition;
  found.push(releaseCondition === undefined ? { by: 'edge' } : { by: 'hysteresis', releaseCondition });
  return found;
}
