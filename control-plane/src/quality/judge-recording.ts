/** Why: all rules in the order in which they are asked: is it whole, is all of it there, when did it come, and can the values be? */
import { at, type Judged } from './judged.ts';
import { judgeAlignment } from './rules-alignment.ts';
import { judgeClock } from './rules-clock.ts';
import { judgeGravity } from './rules-gravity.ts';
import { judgeImages } from './rules-images.ts';
import { judgeLevels } from './rules-levels.ts';
import { judgeLocation } from './rules-location.ts';
import { judgeMotion } from './rules-motion.ts';
import { judgePresence } from './rules-presence.ts';
import { judgeTiming } from './rules-timing.ts';
import { judgeDuplicates, judgeValues } from './rules-values.ts';

export function judgeRecording(judged: Judged): void {
  judgeStructure(judged);
  if (judged.messages === 0) return;
  judgeCompleteness(judged);
  judgeIdentity(judged);
  judgeTiming(judged);
  judgePresence(judged);
  judgeClock(judged);
  judgeGravity(judged);
  judgeMotion(judged);
  judgeAlignment(judged);
  judgeValues(judged);
  judgeLevels(judged);
  judgeDuplicates(judged);
  judgeImages(judged);
  judgeLocation(judged);
}

function judgeStructure(judged: Judged): void {
  const { facts, messages, topics, list } = judged;
  if (facts.damage !== undefined)
    list.add('structure.damaged', { message: facts.damage, evidence: { messagesBefore: messages } });
  else if (messages === 0)
    list.add('structure.empty', { message: 'the recording holds no message', evidence: { messages } });
  if (facts.metadataFault !== undefined) list.add('structure.metadata', { message: facts.metadataFault });
  for (const { topic, undecodable, timing, firstUndecodableNs, lastUndecodableNs } of topics) {
    if (undecodable === 0) continue;
    list.add('structure.undecodable', {
      topic,
      fromNs: at(judged, firstUndecodableNs),
      toNs: at(judged, lastUndecodableNs),
      message: `${undecodable} of ${timing.count} messages of ${topic} do not decode`,
      evidence: { undecodable, messages: timing.count },
    });
  }
}

function judgeCompleteness({ standard, facts, topics, list }: Judged): void {
  const present = new Set(topics.map(({ topic }) => topic));
  const paths = new Set(
    topics.flatMap(({ signals }) =>
      signals.filter(({ statistics }) => statistics.count > 0).map(({ signal }) => signal.path),
    ),
  );
  for (const { topic, path, rateHz } of standard.expected) {
    if ((topic === undefined || present.has(topic)) && (path === undefined || paths.has(path))) continue;
    const what = topic ?? path ?? '';
    list.add('completeness.topic', {
      topic,
      message: `the standard expects ${what}${rateHz === undefined ? '' : ` at ${rateHz} Hz`}, but the recording has none of it`,
      evidence: { expected: what },
    });
  }
  for (const { topic, rateHz } of facts.declared ?? []) {
    if (present.has(topic) || rateHz === undefined || standard.expected.some((each) => each.topic === topic)) continue;
    list.add('completeness.topic', {
      topic,
      message: `${topic} is declared at ${rateHz} Hz, but no message of it came`,
      evidence: { declaredHz: rateHz },
    });
  }
}

function judgeIdentity({ facts, topics, list }: Judged): void {
  const named = facts.metadata?.vehicle.id;
  if (facts.vehicleId !== undefined && named !== undefined && facts.vehicleId !== named) {
    list.add('identity.vehicle', {
      message: `the recording names ${named}, but ${facts.vehicleId} sent it`,
      evidence: { inRecording: named, sender: facts.vehicleId },
    });
  }
  const event = facts.metadata?.event;
  for (const { topic } of topics) {
    if (named === undefined || event === undefined || !topic.startsWith('/fleet/')) continue;
    const other = topic.split('/')[2];
    if (other !== undefined && other !== named)
      list.add('identity.vehicle', {
        topic,
        message: `topic ${topic} is of ${other}, but the recording is of ${named}`,
        evidence: { inTopic: other, inRecording: named },
      });
  }
}
