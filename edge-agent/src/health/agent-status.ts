/** What an agent says of itself when it is asked how it is. */
import type { ReportedState } from '@fleetloop/schemas';
import type { TriggerStatistics } from '@fleetloop/schemas/trigger';
import type { ChannelReport } from '../capture/channel-monitor.ts';
import type { FeatureCacheReport } from '../features/feature-cache.ts';
import type { CampaignReport } from '../campaign/campaign-desk.ts';
import type { RecorderExplanation } from '../record/recorder-explanation.ts';
import type { SpoolCounts } from '../spool/spool-index.ts';
import type { UplinkExplanation } from '../uplink/uplink-explanation.ts';

/** Counts of a live topic: what was taken, and what was not. */
export type PublishedTopic = {
  readonly topic: string;
  readonly taken: number;
  readonly dropped: number;
  readonly refused: number;
};

/** A process that publishes; without a name while it has not said one. */
export type PublisherStatus = { readonly name: string | undefined; readonly taken: number; readonly dropped: number };

/** What a live source knows of those that publish. */
export type PublishedReport = {
  readonly topics: () => readonly PublishedTopic[];
  readonly publishers: () => readonly PublisherStatus[];
};

export type CampaignStatus = CampaignReport & {
  readonly statistics?: TriggerStatistics;
  readonly lastFiredNs?: bigint;
};

export type AgentStatus = {
  readonly kind: 'agent-status';
  readonly vehicleId: string;
  readonly at: string;
  readonly uptimeMs: number;
  readonly softwareVersion: string;
  readonly hardwareRevision: string;
  readonly desiredVersion: number;
  readonly rssBytes: number;
  readonly capture: {
    readonly source: 'live' | 'playlist';
    readonly messages: number;
    readonly sessionsDone: number;
    readonly topics: readonly { readonly topic: string; readonly seen: number; readonly kept: number }[];
    readonly findings: readonly ChannelReport[];
    /** Topics of live publishers; absent for a playlist. */
    readonly published?: readonly PublishedTopic[];
    readonly publishers?: readonly PublisherStatus[];
    /** Messages that a redaction rule could not be applied to and that were therefore not recorded. */
    readonly redactionFailures: number;
  };
  readonly campaigns: readonly CampaignStatus[];
  readonly record: RecorderExplanation & { readonly waitingForDisk: number; readonly lost: number };
  readonly spool: SpoolCounts & {
    /** Its index is read; until then, for a second after a start, it counts nothing. */
    readonly isOpen: boolean;
    readonly quotaBytes: number;
    readonly unsettled: number;
    readonly disk: { readonly state: string; readonly freeBytes: number };
  };
  readonly uplink: UplinkExplanation;
  readonly pulls: NonNullable<ReportedState['pulls']>;
  readonly model: ReportedState['model'] & {
    readonly inferences: number;
    readonly deadlineMisses: number;
    readonly features: readonly FeatureCacheReport[];
  };
};
