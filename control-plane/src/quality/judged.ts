/** Why: what the rules are given, apart from the rules, so that none of them needs another one for it. */
import type { RecordingMetadata, SignalChannel } from '@fleetloop/schemas';
import type { StepBack } from '@fleetloop/schemas/source';
import type { FindingList } from './finding-list.ts';
import type { ImageWatch } from './image-watch.ts';
import type { LevelWatch } from './level-watch.ts';
import type { MotionMonitor } from './motion-monitor.ts';
import type { RepeatWatch } from './repeat-watch.ts';
import type { BoundSignal } from './signal-binding.ts';
import type { SignalStatistics } from './signal-statistics.ts';
import type { SpikeWatch } from './spike-watch.ts';
import type { Standard } from './standard.ts';
import type { FormSampler } from './topic-form.ts';
import type { TopicTiming } from './topic-timing.ts';
import type { UtcOffset } from './utc-offset.ts';

/** What is known of a recording beside its messages. */
export type RecordingFacts = {
  /** Undefined where the file carries none. */
  readonly metadata?: RecordingMetadata | undefined;
  /** What is wrong with the file itself; what came before the damage was pushed. */
  readonly damage?: string | undefined;
  /** What is wrong with its metadata. */
  readonly metadataFault?: string | undefined;
  /** Vehicle that sent it, where that is known from elsewhere. */
  readonly vehicleId?: string | undefined;
  /** Topics that were announced with a rate; those without a message are findings. */
  readonly declared?: readonly { readonly topic: string; readonly rateHz?: number | undefined }[];
  /** Where log times of a topic go back in the file, of a source that delivers in order. */
  readonly stepsBack?: readonly StepBack[] | undefined;
  /** Attributes of the session, where there is no metadata. */
  readonly attributes?: Readonly<Record<string, string>> | undefined;
};

export type WatchedSignal = {
  readonly signal: BoundSignal;
  readonly statistics: SignalStatistics;
  /** Where the standard says how much the quantity can change. */
  readonly spikes: SpikeWatch | undefined;
  /** Where the standard says how far the level can step, or which units it may be mixed of. */
  readonly levels: { readonly watch: LevelWatch; readonly isUnitOnly: boolean } | undefined;
};
export type WatchedTopic = {
  readonly topic: string;
  readonly rateHz: number | undefined;
  readonly isLatched: boolean;
  /** What its form is told by: a sample of a foreign channel, or the channels of signals. */
  readonly form: FormSampler | Set<SignalChannel>;
  readonly timing: TopicTiming;
  readonly repeats: RepeatWatch;
  readonly signals: WatchedSignal[];
  /** Of a topic that holds pictures. */
  readonly images: ImageWatch | undefined;
  undecodable: number;
  /** Where the first and the last of them came. */
  firstUndecodableNs: number;
  lastUndecodableNs: number;
  readonly utc: UtcOffset;
};

/** What the rules judge. Places inside are ns since `baseNs`. */
export type Judged = {
  readonly standard: Standard;
  readonly facts: RecordingFacts;
  readonly topics: readonly WatchedTopic[];
  readonly motion: MotionMonitor;
  readonly messages: number;
  readonly baseNs: bigint;
  readonly list: FindingList;
};

/** Absolute time of a place. */
export function at(judged: Pick<Judged, 'baseNs'>, nowNs: number): bigint | undefined {
  return Number.isFinite(nowNs) ? judged.baseNs + BigInt(Math.round(nowNs)) : undefined;
}
