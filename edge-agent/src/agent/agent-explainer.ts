/** Gathers from the stages what they know, for status and why. */
import { FleetError, parseWhySubject, type Priority } from '@fleetloop/schemas';
import type { DesiredFollower } from '../assign/desired-follower.ts';
import type { AgentStatus, CampaignStatus, PublishedReport } from '../health/agent-status.ts';
import { type CampaignFacts, type EventFacts, type LinkFacts, type Why, whyCampaign, whyEvent } from '../health/why.ts';
import type { AgentClock, DriveSource, ModelRuntime } from '../ports.ts';
import type { PullDesk } from '../record/pull-desk.ts';
import type { Redactor } from '../record/redactor.ts';
import type { Spool } from '../spool/spool.ts';
import type { SpoolLimits } from '../spool/spool-space.ts';
import type { Uplink } from '../uplink/uplink.ts';
import type { CaptureLine } from './capture-line.ts';
import type { DriveRunner } from './drive-runner.ts';
import type { RecordingKeeper } from './recording-keeper.ts';

/** Uploads that a status names; `why` answers for each of the others. */
const UPLOADS_IN_STATUS_MAX = 20;
const TOPICS_IN_STATUS_MAX = 1_000;

export type ExplainerParts = {
  readonly options: {
    readonly vehicleId: string;
    readonly hardwareRevision: string;
    readonly softwareVersion: string;
    readonly spoolLimits: SpoolLimits;
    readonly clock: AgentClock;
    readonly rssBytes: () => number;
  };
  readonly line: CaptureLine;
  readonly keeper: RecordingKeeper;
  readonly runner: DriveRunner;
  readonly spool: Spool;
  readonly uplink: Uplink;
  readonly pulls: PullDesk;
  readonly follower: DesiredFollower;
  readonly runtime: ModelRuntime;
  readonly drives: DriveSource;
  readonly redactor: Redactor | undefined;
  readonly published: PublishedReport | undefined;
  readonly inferences: () => number;
};

export class AgentExplainer {
  readonly #parts: ExplainerParts;
  readonly #startedMs: number;

  constructor(parts: ExplainerParts) {
    this.#parts = parts;
    this.#startedMs = parts.options.clock.monotonicMs();
  }

  status(): AgentStatus {
    const { options, follower, pulls, runtime, inferences, uplink } = this.#parts;
    const { vehicleId, hardwareRevision, softwareVersion, clock, rssBytes } = options;
    const explained = uplink.explain();
    return {
      kind: 'agent-status',
      vehicleId,
      hardwareRevision,
      softwareVersion,
      at: new Date(clock.nowMs()).toISOString(),
      uptimeMs: Math.round(clock.monotonicMs() - this.#startedMs),
      desiredVersion: follower.version,
      rssBytes: rssBytes(),
      capture: this.#capture(),
      campaigns: this.#campaigns(),
      record: this.#record(),
      spool: this.#spool(),
      uplink: { ...explained, uploads: explained.uploads.slice(0, UPLOADS_IN_STATUS_MAX) },
      pulls: [...pulls.report()],
      model: {
        ...runtime.report(),
        inferences: inferences(),
        deadlineMisses: runtime.deadlineMisses,
        features: runtime.features(),
      },
    };
  }

  /** @throws FleetError NOT_FOUND when no recording has the digest */
  why(subject: string): Why<CampaignFacts> | Why<EventFacts> {
    const asked = parseWhySubject(subject);
    if (asked.kind === 'campaign') return this.#whyCampaign(asked.id);
    return this.#whyEvent(asked.kind === 'event' ? asked.id : this.#eventOf(asked.digest));
  }

  #whyCampaign(id: string): Why<CampaignFacts> {
    const { line, spool, redactor } = this.#parts;
    const explanation = line.evaluator.explain(id);
    return whyCampaign({
      id,
      report: line.campaigns.report().find((report) => report.id === id),
      explanation,
      withheld: (explanation?.operands ?? []).flatMap(({ path }) =>
        path !== undefined && redactor?.covers(path) === true ? [path] : [],
      ),
      diskState: spool.diskState().state,
      pending: line.recorder.explain().pending.filter(({ campaignIds }) => campaignIds.includes(id)),
      queued: spool.entries().flatMap(({ eventId, campaignIds }) => (campaignIds.includes(id) ? [eventId] : [])),
    });
  }

  #whyEvent(id: string): Why<EventFacts> {
    const { line, spool, uplink } = this.#parts;
    const explanation = spool.explain(id);
    return whyEvent({
      id,
      pending: line.recorder.explain().pending.find(({ eventId }) => eventId === id),
      spool: explanation,
      upload: uplink.explainEvent(id),
      link: explanation.kind === 'queued' ? this.#linkFor(explanation.entry.priority) : undefined,
    });
  }

  #linkFor(priority: Priority): LinkFacts {
    const { link, network, holds } = this.#parts.uplink.explain();
    return {
      ...link,
      networkClass: network.class,
      leftTodayBytes: network.leftTodayBytes[priority],
      hold: holds.find((hold) => hold.priority === priority) ?? null,
    };
  }

  #eventOf(digest: string): string {
    const found = this.#parts.spool.eventOf(digest);
    if (found !== undefined) return found;
    throw new FleetError(
      'NOT_FOUND',
      `no recording with the digest ${digest} is or was on this vehicle: ask for its event, or ask the control plane`,
    );
  }

  #capture(): AgentStatus['capture'] {
    const { line, runner, drives, redactor, published } = this.#parts;
    const topics = [...line.recorder.topics()].slice(0, TOPICS_IN_STATUS_MAX);
    return {
      source: published === undefined ? 'playlist' : 'live',
      messages: runner.messages,
      sessionsDone: drives.finishedCount,
      topics: topics.map(([topic, counts]) => ({ topic, ...counts })),
      findings: line.monitor.report(),
      ...(published === undefined ? {} : { published: published.topics(), publishers: published.publishers() }),
      redactionFailures: redactor?.failures ?? 0,
    };
  }

  #campaigns(): readonly CampaignStatus[] {
    const { line } = this.#parts;
    return line.campaigns.report().map((report) => {
      const explained = line.evaluator.explain(report.id);
      if (explained === undefined) return report;
      const { statistics, lastFiredNs } = explained;
      return { ...report, statistics, ...(lastFiredNs === undefined ? {} : { lastFiredNs }) };
    });
  }

  #record(): AgentStatus['record'] {
    const { line, keeper } = this.#parts;
    return { ...line.recorder.explain(), waitingForDisk: keeper.waiting, lost: keeper.lost };
  }

  #spool(): AgentStatus['spool'] {
    const { spool, options } = this.#parts;
    const unsettled = spool.entries().filter(({ isSettled }) => !isSettled).length;
    const { quotaBytes } = options.spoolLimits;
    return { isOpen: spool.isOpen, ...spool.counts(), quotaBytes, unsettled, disk: spool.diskState() };
  }
}
