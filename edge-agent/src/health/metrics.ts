/** The figures of a status as Prometheus metrics. Names follow the event names of the diagnostics. */
import { DISK_STATES } from '@fleetloop/schemas';
import type { AgentStatus } from './agent-status.ts';

export type MetricValue = { readonly labels: Readonly<Record<string, string>>; readonly value: number };
export type Metric = {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** Names of the labels that each of its values carries. */
  readonly labels: readonly string[];
  readonly values: readonly MetricValue[];
};

const PRIORITIES = ['safety', 'normal', 'bulk'] as const;
const PREFIX = 'fleetloop_agent_';
type Label = 'finding' | 'topic' | 'campaign' | 'state' | 'priority';

/** All metrics of one scrape; those without a label are there from the start, also at 0. */
export function metricsOf(status: AgentStatus): readonly Metric[] {
  return [
    ...processMetrics(status),
    ...captureMetrics(status),
    ...triggerMetrics(status),
    ...recordMetrics(status),
    ...spoolMetrics(status),
    ...uplinkMetrics(status),
    ...modelMetrics(status),
  ];
}

function processMetrics({ uptimeMs, rssBytes }: AgentStatus): readonly Metric[] {
  return [
    gauge('up_seconds', 'Time since the agent started.', uptimeMs / 1_000),
    gauge('resident_memory_bytes', 'Memory of the process.', rssBytes),
  ];
}

function captureMetrics({ capture }: AgentStatus): readonly Metric[] {
  const { findings, published = [] } = capture;
  const kinds = [...new Set(findings.map(({ finding }) => finding))];
  return [
    counter('capture_messages_total', 'Messages seen.', capture.messages),
    counter(
      'capture_redaction_failures_total',
      'Messages kept out because a redaction rule failed.',
      capture.redactionFailures,
    ),
    labelled('gauge', 'capture_findings', 'Channels with a fault now, by its kind.', {
      finding: kinds.map((kind) => [kind, findings.filter(({ finding }) => finding === kind).length]),
    }),
    labelled('counter', 'publish_taken_total', 'Messages of publishers that were taken.', {
      topic: published.map(({ topic, taken }) => [topic, taken]),
    }),
    labelled('counter', 'publish_dropped_total', 'Messages of publishers over their rate.', {
      topic: published.map(({ topic, dropped }) => [topic, dropped]),
    }),
    labelled('counter', 'publish_refused_total', 'Messages of publishers that were not valid.', {
      topic: published.map(({ topic, refused }) => [topic, refused]),
    }),
  ];
}

function triggerMetrics({ campaigns }: AgentStatus): readonly Metric[] {
  const known = campaigns.flatMap(({ id, statistics }) => (statistics === undefined ? [] : [{ id, ...statistics }]));
  return [
    labelled('counter', 'trigger_evaluations_total', 'Evaluations of a condition.', {
      campaign: known.map(({ id, evaluations }) => [id, evaluations]),
    }),
    labelled('counter', 'trigger_fired_total', 'Triggers.', { campaign: known.map(({ id, fired }) => [id, fired]) }),
  ];
}

function recordMetrics({ record }: AgentStatus): readonly Metric[] {
  const { pending, ring, lost } = record;
  return [
    gauge('record_events_open', 'Events that wait for their post-window or for being settled.', pending.length),
    counter('record_lost_total', 'Recordings that the disk did not take.', lost),
    gauge('record_ring_bytes', 'Memory of the ring.', ring.memoryBytes),
    gauge(
      'record_ring_dropped_messages',
      'Messages of this session that found no room in the ring.',
      ring.droppedMessages,
    ),
  ];
}

function spoolMetrics({ spool }: AgentStatus): readonly Metric[] {
  return [
    gauge('spool_recordings', 'Recordings that wait.', spool.spooled),
    gauge('spool_bytes', 'Bytes of recordings that wait.', spool.spooledBytes),
    gauge('spool_quota_bytes', 'Most bytes of recordings on disk.', spool.quotaBytes),
    gauge('spool_disk_free_bytes', 'Free bytes of the file system.', spool.disk.freeBytes),
    labelled('gauge', 'spool_disk_state', '1 for the state of the disk.', {
      state: DISK_STATES.map((state) => [state, state === spool.disk.state ? 1 : 0]),
    }),
    counter('spool_verified_total', 'Recordings that the control plane has verified.', spool.verified),
    counter('spool_refused_total', 'Recordings that the control plane refused.', spool.refused),
    counter('spool_evicted_total', 'Recordings given up before they were verified.', spool.evicted),
    gauge('spool_tombstones', 'Losses that the cloud has not confirmed.', spool.tombstonesWaiting),
  ];
}

function uplinkMetrics({ uplink }: AgentStatus): readonly Metric[] {
  const { link, flow, network, queuedBytes } = uplink;
  return [
    gauge('uplink_connected', '1 while the link stands.', link.isConnected ? 1 : 0),
    labelled('gauge', 'uplink_queued_bytes', 'Bytes that wait, by priority.', {
      priority: PRIORITIES.map((priority) => [priority, queuedBytes[priority]]),
    }),
    labelled('gauge', 'uplink_left_today_bytes', 'Bytes that may still be sent today; absent without a limit.', {
      priority: PRIORITIES.flatMap((priority): [string, number][] => {
        const left = network.leftTodayBytes[priority];
        return left === null ? [] : [[priority, left]];
      }),
    }),
    gauge('uplink_in_flight_bytes', 'Bytes that wait for the server.', flow.inFlightBytes),
    gauge('uplink_goodput_bytes_per_second', 'Measured goodput.', flow.goodputBytesPerS),
  ];
}

function modelMetrics({ model }: AgentStatus): readonly Metric[] {
  return [
    counter('infer_inferences_total', 'Inferences.', model.inferences),
    counter('infer_deadline_misses_total', 'Inferences that missed their deadline.', model.deadlineMisses),
    counter('feature_vectors_total', 'Feature vectors of the models at work.', sumOf(model.features, 'vectors')),
    counter(
      'feature_budget_misses_total',
      'Feature vectors that took longer than their budget.',
      sumOf(model.features, 'budgetMisses'),
    ),
    counter(
      'feature_late_samples_total',
      'Samples that came after all their windows had closed.',
      sumOf(model.features, 'lateSamples'),
    ),
  ];
}

function sumOf(features: AgentStatus['model']['features'], count: 'vectors' | 'budgetMisses' | 'lateSamples'): number {
  return features.reduce((sum, entry) => sum + entry[count], 0);
}

const counter = (name: string, help: string, value: number): Metric => plain('counter', name, help, value);
const gauge = (name: string, help: string, value: number): Metric => plain('gauge', name, help, value);

function plain(type: Metric['type'], name: string, help: string, value: number): Metric {
  return { name: `${PREFIX}${name}`, help, type, labels: [], values: [{ labels: {}, value }] };
}

/** @param values of one label: its values, each with its figure */
function labelled(
  type: Metric['type'],
  name: string,
  help: string,
  values: Partial<Record<Label, readonly (readonly [string, number])[]>>,
): Metric {
  return {
    name: `${PREFIX}${name}`,
    help,
    type,
    labels: Object.keys(values),
    values: Object.entries(values).flatMap(([label, each]) =>
      each.map(([text, value]) => ({ labels: { [label]: text }, value })),
    ),
  };
}
