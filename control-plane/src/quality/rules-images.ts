/** Why: pictures are most of a recording's bytes, and whoever trains on them sees last that a camera hung or was cut off. */
import { at, type Judged, type WatchedTopic } from './judged.ts';
import { lengthOf } from './topic-timing.ts';

/** Frames in a row with the same bytes that no driver sends to keep its rate. */
const SAME_FRAMES_MIN = 5;

export function judgeImages(judged: Judged): void {
  for (const watched of judged.topics) {
    judgeFrozen(judged, watched);
    judgeBroken(judged, watched);
  }
}

function judgeFrozen(judged: Judged, { topic, images, timing, isLatched }: WatchedTopic): void {
  const longest = images?.longest;
  if (longest === undefined || isLatched || longest.frames < SAME_FRAMES_MIN) return;
  if (lengthOf(longest) < judged.standard.values.frozenMsMin * 1e6) return;
  const seconds = lengthOf(longest) / 1e9;
  judged.list.add('value.frozen', {
    topic,
    fromNs: at(judged, longest.fromNs),
    toNs: at(judged, longest.toNs),
    message: `${topic} sends the same picture for ${seconds.toFixed(1)} s, ${longest.frames} frames`,
    evidence: { frames: longest.frames, seconds, messages: timing.count },
  });
}

/** A camera whose pictures all lack their end does not write one. */
function judgeBroken(judged: Judged, { topic, images, timing }: WatchedTopic): void {
  if (images === undefined || images.broken === 0 || images.whole === 0) return;
  judged.list.add('structure.undecodable', {
    topic,
    fromNs: at(judged, images.firstBrokenNs),
    toNs: at(judged, images.lastBrokenNs),
    message: `${images.broken} of ${timing.count} pictures of ${topic} are no whole JPEG, as the others are`,
    evidence: { broken: images.broken, messages: timing.count },
  });
}
