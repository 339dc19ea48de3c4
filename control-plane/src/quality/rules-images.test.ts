/** Cameras that hang, and pictures that lack a part, in each encoding that pictures come in. */
import type { OpaqueChannel, SourceMessage } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { defaultStandard } from './default-standard.ts';
import { RecordingCheck } from './recording-check.ts';

const START_NS = 1_700_000_000_000_000_000n;
const FRAME_NS = 100_000_000n;
const FRAMES = 100;
const CHANNELS = {
  bytes: channelOf('cdr', 'sensor_msgs/msg/CompressedImage'),
  text: channelOf('json', 'foxglove.CompressedImage'),
};

function channelOf(messageEncoding: string, schemaName: string): OpaqueChannel {
  const encoding = { messageEncoding, schemaEncoding: '', schemaData: new Uint8Array(0) };
  return { kind: 'opaque', topic: '/camera', schemaName, encoding };
}

/** Bytes between the marks of a JPEG, other ones for each frame. */
function jpeg(frame: number): Buffer {
  const body = Buffer.from(Array.from({ length: 3_000 }, (_, index) => (index * index + frame * 31) % 251));
  return Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), body, Buffer.from([0xff, 0xd9])]);
}

function messageOf(channel: OpaqueChannel, index: number, picture: Buffer): SourceMessage {
  const logTimeNs = START_NS + BigInt(index) * FRAME_NS;
  const stamp = { sec: 17, nsec: index ** 4 };
  const data =
    channel === CHANNELS.text
      ? Buffer.from(JSON.stringify({ stamp, data: picture.toString('base64'), format: 'jpeg' }))
      : Buffer.concat([Buffer.from(String(index).padStart(24)), picture, Buffer.from('jpeg')]);
  return { kind: 'opaque', channel, sequence: index, logTimeNs, publishTimeNs: logTimeNs, data };
}

function findingsOf(form: keyof typeof CHANNELS, picture: (frame: number) => Buffer): readonly object[] {
  const check = new RecordingCheck(defaultStandard());
  for (let frame = 0; frame < FRAMES; frame += 1) check.push(messageOf(CHANNELS[form], frame, picture(frame)));
  return check
    .finish({})
    .findings.map(({ rule, topic, fromNs, toNs }) => ({ rule, topic, from: frameAt(fromNs), to: frameAt(toNs) }));
}

const frameAt = (ns: string | null): number => Number((BigInt(ns ?? 0) - START_NS) / FRAME_NS);

describe.each(['bytes', 'text'] as const)('pictures as %s', (form) => {
  it('are whole and change', () => {
    expect(findingsOf(form, jpeg)).toEqual([]);
  });

  it('may come twice, as drivers send them to keep a rate', () => {
    expect(findingsOf(form, (frame) => jpeg(Math.floor(frame / 2)))).toEqual([]);
  });

  it('that stay the same under new stamps are found, and where', () => {
    const found = findingsOf(form, (frame) => jpeg(frame < 30 || frame > 60 ? frame : 30));
    expect(found).toEqual([{ rule: 'value.frozen', topic: '/camera', from: 30, to: 60 }]);
  });

  it.each([
    ['without their end', (whole: Buffer) => whole.subarray(0, 1_500)],
    ['of nothing', () => Buffer.alloc(0)],
    ['of other bytes', (whole: Buffer) => Buffer.from(whole.map((byte) => 255 - byte))],
  ])('%s are found, and where', (_name, change) => {
    const found = findingsOf(form, (frame) => (frame % 10 === 7 ? change(jpeg(frame)) : jpeg(frame)));
    expect(found).toEqual([{ rule: 'structure.undecodable', topic: '/camera', from: 7, to: 97 }]);
  });
});
