/**
 * Puts campaigns into force without disturbing what others have begun, and knows what became of each: received, compiled, active or
 * refused; suspended, expired; draining while its last recordings are open, then done.
 */
import { type Campaign, canonicalJson, FleetError, type JsonValue, type ReportedState } from '@fleetloop/schemas';
import type { VehicleAttributes } from '@fleetloop/schemas';
import {
  assertCampaignTests,
  type CompiledCampaign,
  compileCampaign,
  type TriggerEvaluator,
} from '@fleetloop/schemas/trigger';
import { refuseCampaign, type RefusedCampaign } from '../assign/desired-document.ts';
import {
  type BudgetBook,
  budgetBookFromText,
  budgetBookToText,
  EMPTY_BUDGET_BOOK,
  overBudget,
  withRecording,
} from './budget-book.ts';

/** Campaigns that have left the desired state and are still reported. */
export const LEAVING_MAX = 128;
const BUDGET_FILE = 'campaign-budgets.json';
const NS_PER_MS = 1_000_000n;

export type CampaignReport = ReportedState['campaigns'][number];

/** Where the budgets survive a restart. `writeText` replaces the file as a whole and resolves when it is on disk. */
export interface BudgetFiles {
  readText(name: string): Promise<string | undefined>;
  writeText(name: string, text: string): Promise<void>;
}

export type CampaignDeskOptions = {
  /** Attributes of this vehicle, for inputs of kind `attribute`. */
  readonly vehicle?: VehicleAttributes;
  /** Without it budgets are kept in memory. */
  readonly files?: BudgetFiles;
  /** Called for each change of the state of one campaign. */
  readonly onTransition?: (report: CampaignReport) => void;
};

/** The part of the recorder that knows of campaigns. */
export interface CampaignRecorder {
  setCampaigns(campaigns: readonly Campaign[]): void;
  /** Campaigns whose recordings are not closed yet. */
  drainingCampaigns(): ReadonlySet<string>;
}

export class CampaignDesk {
  readonly #evaluator: Pick<TriggerEvaluator, 'setCampaigns' | 'hold'>;
  readonly #recorder: CampaignRecorder;
  readonly #options: CampaignDeskOptions;
  /** Compiled campaigns by their document, so that one that stays is neither compiled nor tested again. */
  #compiled = new Map<string, CompiledCampaign>();
  #refused: readonly RefusedCampaign[] = [];
  /** Versions of campaigns that were taken away: draining or done. */
  #leaving = new Map<string, number>();
  #states = new Map<string, string>();
  #overBudget = new Map<string, string>();
  #book: BudgetBook = EMPTY_BUDGET_BOOK;
  #writing: Promise<void> = Promise.resolve();
  /** Latest session time that is known. */
  #nowNs: bigint | undefined;

  constructor(
    evaluator: Pick<TriggerEvaluator, 'setCampaigns' | 'hold'>,
    recorder: CampaignRecorder,
    options: CampaignDeskOptions = {},
  ) {
    this.#evaluator = evaluator;
    this.#recorder = recorder;
    this.#options = options;
  }

  get refused(): readonly RefusedCampaign[] {
    return this.#refused;
  }

  /**
   * Reads the budgets that an earlier process has used. Called once, before campaigns are applied.
   * @throws FleetError SPOOL_CORRUPT; the desk then goes on with empty budgets
   */
  async restore(): Promise<void> {
    const text = await this.#options.files?.readText(BUDGET_FILE);
    if (text !== undefined) this.#book = budgetBookFromText(text);
  }

  /** Replaces the campaigns by those that compile and pass their tests; the others are refused, each by itself. */
  apply(campaigns: readonly Campaign[], refusedBefore: readonly RefusedCampaign[] = []): void {
    const compiled = new Map<string, CompiledCampaign>();
    const refused = [...refusedBefore];
    for (const campaign of campaigns) {
      const document = canonicalJson(campaign as JsonValue);
      try {
        compiled.set(document, this.#compiled.get(document) ?? this.#compile(campaign));
      } catch (error) {
        refused.push(refuseCampaign(campaign, FleetError.from(error, 'CAMPAIGN_INVALID')));
      }
    }
    const ids = new Set([...compiled.values()].map(({ campaign }) => campaign.id));
    // What came again under the same version and was refused has not just left: that it is refused must be seen.
    const isRefusedNow = (id: string, version: number): boolean =>
      refused.some((each) => each.id === id && each.version === version);
    const before = [...this.#compiled.values()].map(({ campaign }): [string, number] => [
      campaign.id,
      campaign.version,
    ]);
    const draining = this.#recorder.drainingCampaigns();
    const reported = [...this.#leaving].filter(([id]) => draining.has(id));
    const leaving = [...reported, ...before]
      .filter(([id, version]) => !ids.has(id) && !isRefusedNow(id, version))
      .slice(-LEAVING_MAX);
    this.#leaving = new Map(leaving);
    this.#compiled = compiled;
    this.#refused = refused;
    const active = [...compiled.values()];
    this.#evaluator.setCampaigns(active);
    this.#recorder.setCampaigns(active.map(({ campaign }) => campaign));
    this.#settle();
  }

  /** Session time has come to `nowNs`: campaigns begin and expire, budgets have room again. */
  advance(nowNs: bigint): void {
    this.#nowNs = nowNs;
    this.#settle();
  }

  /** A recording of these campaigns is on disk, as of `timeNs` on the session's clock. Resolves when the budgets are on disk too. */
  async recorded(campaignIds: readonly string[], bytes: number, timeNs: bigint): Promise<void> {
    if (this.#nowNs === undefined || timeNs > this.#nowNs) this.#nowNs = timeNs;
    for (const id of campaignIds) this.#book = withRecording(this.#book, id, bytes, timeNs);
    this.#settle();
    const text = budgetBookToText(this.#book);
    const { files } = this.#options;
    if (files === undefined) return;
    const written = this.#writing.then(async () => files.writeText(BUDGET_FILE, text));
    // A write that failed is the caller's to know; the next one is tried all the same.
    this.#writing = written.catch(() => undefined);
    await written;
  }

  report(): CampaignReport[] {
    const draining = this.#recorder.drainingCampaigns();
    return [
      ...[...this.#compiled.values()].map(({ campaign }) => this.#reportOf(campaign, draining)),
      ...[...this.#leaving].map(
        ([id, version]): CampaignReport => ({ id, version, state: draining.has(id) ? 'draining' : 'done' }),
      ),
      ...this.#refused.map(
        ({ id, version, code, reason }): CampaignReport => ({ id, version, state: 'refused', code, reason }),
      ),
    ];
  }

  #compile(campaign: Campaign): CompiledCampaign {
    const { id, version } = campaign;
    const { vehicle = {}, onTransition } = this.#options;
    onTransition?.({ id, version, state: 'received' });
    const compiled = compileCampaign(campaign, vehicle);
    assertCampaignTests(campaign, vehicle);
    onTransition?.({ id, version, state: 'compiled' });
    return compiled;
  }

  #reportOf(campaign: Campaign, draining: ReadonlySet<string>): CampaignReport {
    const { id, version, startsAt, expiresAt } = campaign;
    const now = this.#nowNs;
    if (expiresAt !== undefined && now !== undefined && now >= nsOf(expiresAt))
      return { id, version, state: draining.has(id) ? 'draining' : 'expired', reason: `expired at ${expiresAt}` };
    if (campaign.suspended === true) return { id, version, state: 'suspended', reason: 'suspended by the operator' };
    if (startsAt !== undefined && (now === undefined || now < nsOf(startsAt)))
      return { id, version, state: 'compiled', reason: `starts at ${startsAt}` };
    const over = this.#overBudget.get(id);
    if (over === undefined) return { id, version, state: 'active' };
    return { id, version, state: 'suspended', code: 'CAMPAIGN_BUDGET', reason: over };
  }

  /** Holds back those that are over their budget, and says what has changed. */
  #settle(): void {
    for (const { campaign } of this.#compiled.values()) this.#checkBudget(campaign);
    const reports = this.report();
    const states = new Map(reports.map((report) => [report.id, `${report.version} ${report.state}`]));
    for (const report of reports)
      if (this.#states.get(report.id) !== states.get(report.id)) this.#options.onTransition?.(report);
    this.#states = states;
  }

  #checkBudget(campaign: Campaign): void {
    const { id } = campaign;
    if (campaign.budgets === undefined) {
      this.#overBudget.delete(id);
      return;
    }
    const reason = this.#nowNs === undefined ? undefined : overBudget(this.#book, campaign, this.#nowNs);
    if (reason === undefined) this.#overBudget.delete(id);
    else this.#overBudget.set(id, reason);
    this.#evaluator.hold(id, reason === undefined ? undefined : { by: 'budget', reason });
  }
}

function nsOf(at: string): bigint {
  return BigInt(Date.parse(at)) * NS_PER_MS;
}
