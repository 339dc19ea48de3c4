/** What the messages of one channel feed: resolved once per channel, so that a message looks nothing up. */
import type { Channel, SignalChannel } from '../capture/channel.ts';
import type { SourceMessage } from '../capture/source-message.ts';
import { unitConversion } from '../vss/units.ts';
import type { CampaignState } from './campaign-state.ts';
import { GuardTable, type Memory } from './guard-table.ts';
import { HysteresisNode } from './hysteresis-node.ts';
import { GeofenceNode, type InputNode, SignalNode, StalenessNode, WindowNode } from './input-node.ts';
import type { SampleLog } from './sample-log.ts';

/** How one value of a message is read. */
type Reading = { readonly index: number; readonly scale: number; readonly offset: number };
/** One value of a message on its way into a node. */
type Feed<Node> = Reading & { readonly node: Node };
/** And into the log of all windows over it. */
type LogFeed = Reading & { readonly log: SampleLog };
type Coordinate = Feed<GeofenceNode> & { readonly isLatitude: boolean };
/** `index` is -1 where any message counts. */
type Sighting = { readonly node: StalenessNode; readonly index: number };

/** All campaigns, in their order, with all their inputs. */
export type Fed = {
  readonly states: readonly CampaignState[];
  readonly nodes: readonly InputNode[];
  readonly memory: Memory;
};

/** Changed in place for each message. */
export class ChannelFeed {
  readonly channel: Channel;
  /** Campaigns with an input that this channel feeds, in their order. */
  table: GuardTable;
  #signals: readonly Feed<SignalNode>[] = [];
  #logs: readonly LogFeed[] = [];
  #switches: readonly Feed<HysteresisNode>[] = [];
  #coordinates: readonly Coordinate[] = [];
  #fences: readonly GeofenceNode[] = [];
  #sightings: readonly Sighting[] = [];
  #latest: Float64Array | undefined;
  #latestNs = Number.NaN;

  constructor(channel: Channel, fed: Fed) {
    this.channel = channel;
    this.table = this.#bindAll(fed);
  }

  /** Takes other campaigns and their inputs; `fresh` nodes start with what this channel said last. */
  bind(fed: Fed, fresh: ReadonlySet<InputNode>): void {
    this.table = this.#bindAll(fed);
    this.#teach(fresh);
  }

  /** Sets the inputs that the message carries, as of the session-relative time. A NaN is no value. */
  take(message: SourceMessage, timeNs: number): void {
    this.#latestNs = timeNs;
    if (message.kind === 'signal') this.#takeValues((this.#latest = message.values), timeNs);
    const sightings = this.#sightings;
    for (let at = 0; at < sightings.length; at += 1) {
      const { node, index } = sightings[at] as Sighting;
      if (index !== -1 && message.kind === 'signal' && Number.isNaN(message.values[index] ?? Number.NaN)) continue;
      if (timeNs > node.seenNs) node.seenNs = timeNs;
    }
  }

  #takeValues(values: Float64Array, timeNs: number): void {
    const signals = this.#signals;
    for (let at = 0; at < signals.length; at += 1) setSignal(signals[at] as Feed<SignalNode>, values);
    const logs = this.#logs;
    for (let at = 0; at < logs.length; at += 1) {
      const { log, index, scale, offset } = logs[at] as LogFeed;
      const value = (values[index] as number) * scale + offset;
      if (!Number.isNaN(value)) log.append(timeNs, value);
    }
    const switches = this.#switches;
    for (let at = 0; at < switches.length; at += 1) turn(switches[at] as Feed<HysteresisNode>, values);
    if (this.#fences.length === 0) return;
    for (const coordinate of this.#coordinates) setCoordinate(coordinate, values);
    for (const fence of this.#fences) fence.decide();
  }

  #bindAll({ states, nodes, memory }: Fed): GuardTable {
    this.#signals = nodes.flatMap((node) => (node instanceof SignalNode ? this.#feed(node, node.declared) : []));
    const windows = nodes.flatMap((node) => (node instanceof WindowNode ? this.#feed(node, node.declared) : []));
    const logs = windows.flatMap(({ node: { log }, ...reading }) => (log === undefined ? [] : [{ log, ...reading }]));
    this.#logs = [...new Map(logs.map((feed) => [feed.log, feed])).values()];
    this.#switches = nodes.flatMap((node) => (node instanceof HysteresisNode ? this.#feed(node, node.declared) : []));
    this.#coordinates = nodes.flatMap((node) => (node instanceof GeofenceNode ? this.#coordinatesOf(node) : []));
    this.#fences = [...new Set(this.#coordinates.map((each) => each.node))];
    this.#sightings = nodes.flatMap((node) => (node instanceof StalenessNode ? this.#sightingsOf(node) : []));
    const own = new Set<InputNode>(
      [...this.#signals, ...windows, ...this.#switches, ...this.#coordinates, ...this.#sightings].map(
        (each) => each.node,
      ),
    );
    const watching = states.filter((state) => state.nodes.some((node) => own.has(node)));
    return new GuardTable(watching, memory);
  }

  /** A node that is new knows the latest values; what a window would have held is gone. */
  #teach(fresh: ReadonlySet<InputNode>): void {
    const values = this.#latest;
    for (const { node, index } of this.#sightings) {
      const hasValue = index === -1 || !Number.isNaN(values?.[index] ?? Number.NaN);
      if (fresh.has(node) && hasValue && this.#latestNs > node.seenNs) node.seenNs = this.#latestNs;
    }
    if (values === undefined) return;
    for (const feed of this.#signals) if (fresh.has(feed.node)) setSignal(feed, values);
    for (const feed of this.#switches) if (fresh.has(feed.node)) turn(feed, values);
    for (const coordinate of this.#coordinates) if (fresh.has(coordinate.node)) setCoordinate(coordinate, values);
    for (const fence of this.#fences) if (fresh.has(fence)) fence.decide();
  }

  #feed<Node extends InputNode>(node: Node, { path, unit }: { path: string; unit: string }): readonly Feed<Node>[] {
    const index = this.#indexOf(path);
    if (index === -1) return [];
    const from = (this.channel as SignalChannel).signals[index]?.unit ?? '';
    return [{ node, index, ...unitConversion(from, unit) }];
  }

  #coordinatesOf(node: GeofenceNode): readonly Coordinate[] {
    const { latitudePath, longitudePath } = node.declared;
    return [
      ...this.#feed(node, { path: latitudePath, unit: 'degrees' }).map((feed) => ({ ...feed, isLatitude: true })),
      ...this.#feed(node, { path: longitudePath, unit: 'degrees' }).map((feed) => ({ ...feed, isLatitude: false })),
    ];
  }

  #sightingsOf(node: StalenessNode): readonly Sighting[] {
    const { path, topic } = node.declared;
    if (topic !== undefined) return topic === this.channel.topic ? [{ node, index: -1 }] : [];
    const index = this.#indexOf(path ?? '');
    return index === -1 ? [] : [{ node, index }];
  }

  #indexOf(path: string): number {
    return this.channel.kind === 'signal' ? this.channel.signals.findIndex((signal) => signal.path === path) : -1;
  }
}

function setSignal({ node, index, scale, offset }: Feed<SignalNode>, values: Float64Array): void {
  node.operand.value = (values[index] as number) * scale + offset;
}

function turn({ node, index, scale, offset }: Feed<HysteresisNode>, values: Float64Array): void {
  node.take((values[index] as number) * scale + offset);
}

function setCoordinate({ node, index, scale, offset, isLatitude }: Coordinate, values: Float64Array): void {
  const value = (values[index] as number) * scale + offset;
  if (isLatitude) node.latitude = value;
  else node.longitude = value;
}
